"""Updating one memory."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest

from server.core.errors import (
    ConcurrentChange,
    EtagMismatch,
    MemoryImmutable,
    MemoryNotFound,
    RequestIdReused,
)
from server.memories.change.effects import FieldChanges, MemoryField
from server.memories.change.update_memory import UpdateMemory, UpdateMemoryCommand
from server.memories.memory import Evidence, Memory
from server.models.ports import EmbeddingPurpose
from server.operations.idempotency import RequestKey
from tests.support.builders import LISBON, NOW, PROJECT, addition, call, change_set
from tests.support.fake_store import BusyStore, FakeStore
from tests.support.fakes import FakeClock, FakeEmbedder

LATER = NOW + timedelta(hours=1)
TEXT = frozenset({MemoryField.TEXT})


@pytest.fixture
def embedder() -> FakeEmbedder:
    return FakeEmbedder(model="test/newer")


@pytest.fixture
def update(store: FakeStore, embedder: FakeEmbedder) -> UpdateMemory:
    return UpdateMemory(store, embedder, FakeClock(LATER))


async def remembered(store: FakeStore, **fields: object) -> Memory:
    new_call = call()
    item = addition(
        new_call,
        "Alice lives in Lisbon",
        metadata={"a": 1},
        categories=["travel"],
        entities=[LISBON.source, LISBON.target],
        relations=[LISBON],
        evidence=[Evidence(UUID(int=1), "in Lisbon")],
        **fields,  # type: ignore[arg-type] # names fit
    )
    await store.commit(change_set(new_call, added=[item]))
    return item.memory


def text(value: str) -> FieldChanges:
    return FieldChanges(TEXT, text=value)


async def test_a_new_text_is_embedded_and_drops_entities_and_relations(
    store: FakeStore, embedder: FakeEmbedder, update: UpdateMemory
) -> None:
    memory = await remembered(store)
    updated = await update(UpdateMemoryCommand(PROJECT, memory.id, text("Alice moved")))
    after = updated.memory
    assert (after.text, after.version, after.update_time) == ("Alice moved", 2, LATER)
    assert (after.entities, after.relations, after.provenance.evidence) == ((), (), ())
    assert (after.metadata, after.categories) == ({"a": 1}, ("travel",))
    assert after.provenance.embedding_model == "test/newer"
    assert after.provenance.call_id == store.calls[0].id != memory.provenance.call_id
    assert embedder.batches == [(["Alice moved"], EmbeddingPurpose.DOCUMENT)]
    assert store.replacements[0].embedding == embedder.vector_of("Alice moved")


async def test_other_fields_keep_text_entities_and_relations(
    store: FakeStore, embedder: FakeEmbedder, update: UpdateMemory
) -> None:
    memory = await remembered(store, expiration_date=NOW.date())
    cleared = FieldChanges(frozenset(MemoryField) - TEXT, metadata={"b": 2})
    after = (await update(UpdateMemoryCommand(PROJECT, memory.id, cleared))).memory
    assert (after.text, after.relations) == (memory.text, memory.relations)
    assert after.provenance.evidence == memory.provenance.evidence
    assert (after.metadata, after.categories, after.expiration_date) == ({"b": 2}, (), None)
    assert after.provenance.embedding_model == memory.provenance.embedding_model
    assert embedder.batches == []
    assert store.replacements[0].embedding is None


async def test_an_immutable_memory_is_never_changed(store: FakeStore, update: UpdateMemory) -> None:
    memory = await remembered(store, immutable=True)
    with pytest.raises(MemoryImmutable):
        await update(UpdateMemoryCommand(PROJECT, memory.id, text("new")))


@pytest.mark.parametrize("project_id", [PROJECT, "project-2"])
async def test_invisible_memories_are_not_found(
    store: FakeStore, update: UpdateMemory, project_id: str
) -> None:
    expired = date(2020, 1, 1) if project_id == PROJECT else None
    memory = await remembered(store, expiration_date=expired)
    with pytest.raises(MemoryNotFound):
        await update(UpdateMemoryCommand(project_id, memory.id, text("new")))


async def test_a_wrong_etag_changes_nothing(store: FakeStore, update: UpdateMemory) -> None:
    memory = await remembered(store)
    with pytest.raises(EtagMismatch):
        await update(UpdateMemoryCommand(PROJECT, memory.id, text("new"), etag="stale"))
    assert store.calls == []


@pytest.mark.parametrize(("with_etag", "error"), [(True, EtagMismatch), (False, ConcurrentChange)])
async def test_a_concurrent_change_is_reported_by_the_given_preconditions(
    embedder: FakeEmbedder, with_etag: bool, error: type[Exception]
) -> None:
    store = BusyStore()
    memory = await remembered(store)
    update = UpdateMemory(store, embedder, FakeClock())
    etag = memory.etag if with_etag else None
    with pytest.raises(error):
        await update(UpdateMemoryCommand(PROJECT, memory.id, text("new"), etag))


async def test_a_request_id_has_one_effect_and_one_response(
    store: FakeStore, update: UpdateMemory
) -> None:
    memory = await remembered(store)
    command = UpdateMemoryCommand(
        PROJECT, memory.id, text("new"), memory.etag, RequestKey(uuid4(), b"payload")
    )
    first, *others = await asyncio.gather(*(update(command) for _ in range(3)))
    assert others == [first, first]
    assert len(store.calls) == 1


async def test_a_request_id_with_another_payload_is_refused(
    store: FakeStore, update: UpdateMemory
) -> None:
    memory = await remembered(store)
    key = RequestKey(uuid4(), b"payload")
    await update(UpdateMemoryCommand(PROJECT, memory.id, text("new"), key=key))
    other = UpdateMemoryCommand(PROJECT, memory.id, text("other"), key=RequestKey(key.id, b"other"))
    with pytest.raises(RequestIdReused):
        await update(other)
