"""Restoring an earlier version of a memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TypeVar
from uuid import UUID, uuid4

import pytest

from server.core.errors import (
    ConcurrentChange,
    EtagMismatch,
    InvalidRequest,
    MemoryImmutable,
    MemoryNotFound,
    RequestIdReused,
)
from server.memories.change.deletion import RestoreMemory, RestoreMemoryCommand
from server.memories.memory import Memory
from server.operations.idempotency import RequestKey
from tests.support.builders import ALICE, NOW, PROJECT, addition, call, vector
from tests.support.fake_store import BusyStore, FakeStore
from tests.support.fakes import FakeClock, FakeEmbedder

TEA = addition(call(), "tea", categories=["food"]).memory
COFFEE = replace(TEA, text="coffee", version=2)
EMBEDDING = vector(0, 1, 0)

StoreT = TypeVar("StoreT", bound=FakeStore)


@pytest.fixture
def store() -> FakeStore:
    return remembering(FakeStore())


def remembering(store: StoreT) -> StoreT:
    """Returns the store with two versions of a memory."""
    store.memories[TEA.id] = COFFEE
    store.past.set_versions(TEA.id, (TEA, EMBEDDING), (COFFEE, None))
    return store


@pytest.fixture
def restore(store: FakeStore, embedder: FakeEmbedder) -> RestoreMemory:
    return RestoreMemory(store, embedder, FakeClock())


async def test_an_updated_memory_is_restored_as_a_new_version(
    store: FakeStore, embedder: FakeEmbedder, restore: RestoreMemory
) -> None:
    restored = await restore(RestoreMemoryCommand(PROJECT, TEA.id, 1, COFFEE.etag))
    memory = restored.memory
    assert (memory.text, memory.version, memory.categories) == ("tea", 3, ("food",))
    assert store.memories == {TEA.id: memory}
    [restoration] = store.replacements
    assert (restoration.restores, restoration.embedding) == (1, EMBEDDING)
    assert embedder.batches == []
    [stored_call] = store.calls
    assert (stored_call.method, stored_call.scope, stored_call.time) == (
        "RestoreMemory",
        ALICE,
        NOW,
    )
    assert (memory.provenance.call_id, memory.provenance.language_model) == (stored_call.id, None)


async def test_a_deleted_memory_is_restored(store: FakeStore, restore: RestoreMemory) -> None:
    store.memories.clear()
    store.past.set_versions(TEA.id, (TEA, EMBEDDING), (None, None))
    with pytest.raises(EtagMismatch):
        await restore(RestoreMemoryCommand(PROJECT, TEA.id, 1, TEA.etag))
    assert (await restore(RestoreMemoryCommand(PROJECT, TEA.id, 1))).memory.version == 3
    assert store.memories[TEA.id].text == "tea"


async def test_a_text_without_an_embedding_in_the_history_is_embedded(
    store: FakeStore, embedder: FakeEmbedder, restore: RestoreMemory
) -> None:
    await restore(RestoreMemoryCommand(PROJECT, TEA.id, 2))
    assert [texts for texts, _ in embedder.batches] == [["coffee"]]
    assert store.replacements[0].memory.text == "coffee"


async def test_a_request_id_restores_once(store: FakeStore, restore: RestoreMemory) -> None:
    key = RequestKey(uuid4(), b"payload")
    command = RestoreMemoryCommand(PROJECT, TEA.id, 1, key=key)
    first = await restore(command)
    store.memories.clear()
    assert await restore(command) == first
    assert len(store.calls) == 1
    with pytest.raises(RequestIdReused):
        await restore(replace(command, key=RequestKey(key.id, b"other")))


@pytest.mark.parametrize(("memory_id", "version"), [(UUID(int=1), 1), (TEA.id, 9)])
async def test_versions_outside_the_history_are_not_found(
    restore: RestoreMemory, memory_id: UUID, version: int
) -> None:
    with pytest.raises(MemoryNotFound) as caught:
        await restore(RestoreMemoryCommand(PROJECT, memory_id, version))
    assert caught.value.metadata == {"id": str(memory_id), "version": str(version)}


def _expired() -> Memory:
    return replace(TEA, expiration_date=NOW.date() - timedelta(days=1))


@pytest.mark.parametrize("past", [None, _expired()], ids=["deletion", "expired"])
async def test_a_deleted_or_expired_version_is_refused(
    store: FakeStore, restore: RestoreMemory, past: Memory | None
) -> None:
    store.past.set_versions(TEA.id, (past, None))
    with pytest.raises(InvalidRequest) as caught:
        await restore(RestoreMemoryCommand(PROJECT, TEA.id, 1))
    assert [violation.field for violation in caught.value.violations] == ["version"]
    assert store.calls == []


async def test_an_immutable_memory_is_only_restored_after_its_deletion(
    store: FakeStore, restore: RestoreMemory
) -> None:
    fixed = replace(TEA, immutable=True)
    store.memories[TEA.id] = fixed
    store.past.set_versions(TEA.id, (fixed, EMBEDDING))
    with pytest.raises(MemoryImmutable):
        await restore(RestoreMemoryCommand(PROJECT, TEA.id, 1))
    store.memories.clear()
    assert (await restore(RestoreMemoryCommand(PROJECT, TEA.id, 1))).memory.immutable


@pytest.mark.parametrize(("with_etag", "error"), [(True, EtagMismatch), (False, ConcurrentChange)])
async def test_a_concurrent_change_is_reported_by_the_given_preconditions(
    embedder: FakeEmbedder, with_etag: bool, error: type[Exception]
) -> None:
    restore = RestoreMemory(remembering(BusyStore()), embedder, FakeClock())
    with pytest.raises(error):
        await restore(RestoreMemoryCommand(PROJECT, TEA.id, 1, COFFEE.etag if with_etag else None))
