"""The contract of changing single memories, held on PostgreSQL and on the unit tests' fake."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from server.core.errors import ConcurrentChange, MemoryDuplicate, RequestIdReused
from server.core.values import Vector
from server.graph.project.ports import Outbox
from server.memories.changes import Call, Deletion, Replacement
from server.memories.memory import EventType, Memory
from server.memories.ports import MemoryStore
from server.memories.queries import SearchQuery
from server.memories.scope import Scope
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.outbox import PostgresOutbox
from server.storage.postgres.pool import Database
from tests.support.builders import (
    ALICE,
    LISBON,
    NOW,
    PROJECT,
    adding,
    addition,
    call,
    change_set,
    memories_of,
    memory_of,
    vector,
)
from tests.support.fake_store import FakeStore
from tests.support.fakes import FakeClock

TODAY = NOW.date()
LATER = NOW + timedelta(hours=1)


@pytest.fixture(params=["fake", "postgres"])
def store(request: pytest.FixtureRequest) -> MemoryStore:
    if request.param == "fake":
        return FakeStore()
    return PostgresMemoryStore(request.getfixturevalue("database"), on_commit=lambda: None)


only_on_postgres = pytest.mark.parametrize("store", ["postgres"], indirect=True)


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return PostgresOutbox(database, FakeClock())


async def stored(store: MemoryStore, text: str = "tea", **fields: object) -> Memory:
    new_call = call()
    item = addition(new_call, text, **fields)  # type: ignore[arg-type] # names fit
    await store.commit(change_set(new_call, added=[item]))
    return item.memory


def update(
    memory: Memory, by: Call, text: str, embedding: Vector | None = None, **fields: object
) -> Replacement:
    made_by = replace(
        memory.provenance,
        call_id=by.id,
        request_id=by.request_id,
        correlation_id=by.correlation_id,
        embedding_model=by.embedding_model,
        evidence=(),
    )
    after = replace(
        memory, text=text, version=memory.version + 1, update_time=by.time, provenance=made_by
    )
    after = replace(after, **fields)  # type: ignore[arg-type] # names fit
    return Replacement(after, embedding)


async def test_the_next_state_is_read_back_whole(
    store: MemoryStore, changes: MemoryStore, commits: list[None]
) -> None:
    memory = await stored(
        store, metadata={"a": 1}, categories=["food"], relations=[LISBON], expiration_date=TODAY
    )
    by = replace(call(time=LATER, request_id=uuid4(), payload_digest=b"p"), method="UpdateMemory")
    expected = update(
        memory,
        by,
        "coffee",
        vector(0, 1, 0),
        metadata={"b": 2},
        categories=(),
        relations=(),
        expiration_date=None,
    )
    position = await changes.replace(by, expected)

    assert await store.get(PROJECT, memory.id, TODAY) == expected.memory
    hits = await store.search(SearchQuery(PROJECT, ALICE, vector(0, 1, 0), 1, TODAY))
    assert [round(hit.score, 2) for hit in hits] == [1.0]
    assert commits == [None]
    assert by.request_id is not None
    found = await changes.find_call(PROJECT, by.request_id, 0)
    assert found is not None
    assert (found.payload_digest, found.position) == (b"p", position)
    [change] = found.changes
    assert (change.event, change.memory, change.previous_text) == (
        EventType.UPDATE,
        expected.memory,
        "tea",
    )


async def test_without_an_embedding_the_stored_one_stays(
    store: MemoryStore, changes: MemoryStore
) -> None:
    memory = await stored(store, embedding=vector(0, 0, 1))
    by = call(time=LATER)
    await changes.replace(by, update(memory, by, "tea", metadata={"b": 2}))
    hits = await store.search(SearchQuery(PROJECT, ALICE, vector(0, 0, 1), 1, TODAY))
    assert [memory.metadata for memory in memories_of(hits)] == [{"b": 2}]
    assert hits[0].score == pytest.approx(1.0, abs=0.005)


@only_on_postgres
async def test_a_change_and_a_removal_reach_the_graph(
    store: MemoryStore, changes: MemoryStore, outbox: Outbox
) -> None:
    memory = await stored(store)
    await outbox.settle(await outbox.claim(10, timedelta(seconds=9)))
    by = call(time=LATER)
    position = await changes.replace(by, update(memory, by, "coffee"))
    [dirty] = await outbox.claim(10, timedelta(seconds=9))
    assert (dirty.memory_id, dirty.position) == (memory.id, position)
    await changes.delete(call(), Deletion(memory.id, 2))
    await outbox.settle([dirty])
    [dirty] = await outbox.claim(10, timedelta(seconds=9))
    assert [subgraph.exists for subgraph in await outbox.subgraphs([dirty])] == [False]


async def test_a_change_decided_on_an_older_state_writes_nothing(
    store: MemoryStore, changes: MemoryStore
) -> None:
    memory = await stored(store)
    by = call()
    await changes.replace(by, update(memory, by, "coffee"))
    stale = call(request_id=uuid4())
    with pytest.raises(ConcurrentChange):
        await changes.replace(stale, update(memory, stale, "water"))
    with pytest.raises(ConcurrentChange):
        await changes.delete(stale, Deletion(memory.id, 1))
    assert stale.request_id is not None
    assert await changes.find_call(PROJECT, stale.request_id, 0) is None
    after = await store.get(PROJECT, memory.id, TODAY)
    assert after is not None
    assert after.text == "coffee"


async def test_an_equal_memory_of_the_scope_is_reported(
    store: MemoryStore, changes: MemoryStore
) -> None:
    memory = await stored(store)
    await store.commit(adding("coffee"))
    by = call()
    with pytest.raises(MemoryDuplicate):
        await changes.replace(by, update(memory, by, "coffee"))
    assert await store.get(PROJECT, memory.id, TODAY) == memory


async def test_an_expired_memory_with_the_same_text_is_replaced(
    store: MemoryStore, changes: MemoryStore
) -> None:
    memory = await stored(store)
    expired = await stored(store, "coffee", expiration_date=TODAY - timedelta(days=1))
    by = call()
    await changes.replace(by, update(memory, by, "coffee"))
    assert await store.get(PROJECT, expired.id, None) is None


async def test_an_immutable_memory_is_not_changed(store: MemoryStore, changes: MemoryStore) -> None:
    memory = await stored(store, immutable=True)
    by = call()
    with pytest.raises(ConcurrentChange):
        await changes.replace(by, update(memory, by, "coffee"))


async def test_a_request_id_is_taken_once_for_each_item(
    store: MemoryStore, changes: MemoryStore
) -> None:
    first, second = await stored(store, "one"), await stored(store, "two")
    key = uuid4()
    new_call = replace(call(request_id=key), item=1)
    await changes.delete(new_call, Deletion(first.id, 1))
    again = replace(call(request_id=key), item=1)
    with pytest.raises(RequestIdReused):
        await changes.delete(again, Deletion(second.id, 1))
    with pytest.raises(RequestIdReused):
        await changes.replace(again, update(second, again, "three"))
    assert await store.get(PROJECT, second.id, TODAY) == second
    await changes.delete(replace(call(request_id=key), item=2), Deletion(second.id, 1))
    assert await changes.find_call("project-2", key, 1) is None


async def test_a_batch_is_claimed_once_and_returns_finished_items(
    store: MemoryStore, changes: MemoryStore
) -> None:
    memory = await stored(store)
    batch = call(request_id=uuid4(), payload_digest=b"p")
    claims = await asyncio.gather(
        *(changes.claim_batch(replace(batch, id=uuid4())) for _ in range(4))
    )
    assert set(claims) == {frozenset()}
    await changes.delete(replace(batch, id=uuid4(), item=3), Deletion(memory.id, 1))
    assert await changes.claim_batch(batch) == {3}
    with pytest.raises(RequestIdReused):
        await changes.claim_batch(replace(batch, payload_digest=b"other"))
    assert await changes.claim_batch(replace(batch, project_id="project-2")) == frozenset()


async def test_nothing_crosses_projects(store: MemoryStore, changes: MemoryStore) -> None:
    theirs = adding("theirs", project_id="project-2")
    await store.commit(theirs)
    memory = memory_of(theirs, theirs.added[0])
    by = call()
    with pytest.raises(ConcurrentChange):
        await changes.replace(by, update(memory, by, "ours"))
    with pytest.raises(ConcurrentChange):
        await changes.delete(by, Deletion(memory.id, 1))
    assert await store.get("project-2", memory.id, TODAY) == memory


def restoration(memory: Memory, by: Call, *, newest: int, from_version: int = 1) -> Replacement:
    made_by = replace(
        memory.provenance, call_id=by.id, request_id=by.request_id, embedding_model="m/2"
    )
    restored = replace(memory, version=newest + 1, update_time=by.time, provenance=made_by)
    return Replacement(restored, vector(0, 0, 1), restores=from_version)


def restoring(**fields: object) -> Call:
    """A call without a language model."""
    new_call = replace(call(time=LATER), method="RestoreMemory", embedding_model="m/2")
    return replace(new_call, language_model=None, prompt_version=None, **fields)  # type: ignore[arg-type] # names fit


@only_on_postgres
@pytest.mark.parametrize("deleted", [False, True])
async def test_a_memory_is_restored_whole(
    store: MemoryStore, changes: MemoryStore, outbox: Outbox, database: Database, deleted: bool
) -> None:
    memory = await stored(
        store, metadata={"a": 1}, categories=["food"], relations=[LISBON], expiration_date=TODAY
    )
    by = call(time=LATER)
    await changes.replace(by, update(memory, by, "coffee", vector(0, 1, 0), metadata={}))
    newest = 2
    if deleted:
        await changes.delete(call(time=LATER), Deletion(memory.id, 2))
        newest = 3
    await outbox.settle(await outbox.claim(10, timedelta(seconds=9)))
    new_call = restoring(request_id=uuid4(), payload_digest=b"p")
    expected = restoration(memory, new_call, newest=newest)
    expected = replace(
        expected,
        memory=replace(
            expected.memory,
            provenance=replace(
                expected.memory.provenance, language_model=None, prompt_version=None
            ),
        ),
    )
    position = await changes.replace(new_call, expected)

    assert await store.get(PROJECT, memory.id, TODAY) == expected.memory
    hits = await store.search(SearchQuery(PROJECT, ALICE, vector(0, 0, 1), 1, TODAY, text="tea"))
    assert [hit.id for hit in hits] == [memory.id]
    [dirty] = await outbox.claim(10, timedelta(seconds=9))
    assert (dirty.memory_id, dirty.position) == (memory.id, position)
    [*_, last] = await store.events(PROJECT, memory.id, 0, 9)
    assert (last.type, last.version, last.after) == (EventType.RESTORE, newest + 1, expected.memory)
    assert (last.before is None) == deleted
    assert new_call.request_id is not None
    found = await changes.find_call(PROJECT, new_call.request_id, 0)
    assert found is not None
    assert [(c.event, c.memory) for c in found.changes] == [(EventType.RESTORE, expected.memory)]
    past = await store.version(PROJECT, memory.id, newest + 1)
    assert past is not None
    assert past.embedding is not None
    assert list(past.embedding) == [0, 0, 1]


async def test_a_restoration_decided_on_an_older_version_writes_nothing(
    store: MemoryStore, changes: MemoryStore
) -> None:
    memory = await stored(store)
    by = call()
    await changes.replace(by, update(memory, by, "coffee"))
    with pytest.raises(ConcurrentChange):
        await changes.replace(restoring(), restoration(memory, by, newest=1))
    await changes.delete(call(), Deletion(memory.id, 2))
    for newest in (1, 2):
        with pytest.raises(ConcurrentChange):
            await changes.replace(restoring(), restoration(memory, by, newest=newest))
    assert await store.get(PROJECT, memory.id, None) is None


async def test_a_restoration_never_makes_two_visible_memories_equal(
    store: MemoryStore, changes: MemoryStore
) -> None:
    memory = await stored(store)
    await changes.delete(call(), Deletion(memory.id, 1))
    yesterday = TODAY - timedelta(days=1)
    rival = await stored(store)
    with pytest.raises(MemoryDuplicate):
        await changes.replace(restoring(), restoration(memory, call(), newest=2))
    by = call(time=LATER)
    await changes.replace(by, update(rival, by, "tea", expiration_date=yesterday))
    await changes.replace(restoring(), restoration(memory, call(), newest=2))
    assert await store.get(PROJECT, rival.id, None) is None


async def test_an_immutable_memory_is_not_restored_while_it_exists(
    store: MemoryStore, changes: MemoryStore
) -> None:
    memory = await stored(store, immutable=True)
    with pytest.raises(ConcurrentChange):
        await changes.replace(restoring(), restoration(memory, call(), newest=1))
    await changes.delete(call(), Deletion(memory.id, 1))
    await changes.replace(restoring(), restoration(memory, call(), newest=2))
    assert await store.get(PROJECT, memory.id, None) is not None


async def test_a_purge_is_bounded_and_of_one_project(
    store: MemoryStore, changes: MemoryStore
) -> None:
    for days, project_id in ((9, PROJECT), (8, "project-2"), (7, PROJECT), (6, PROJECT)):
        new_call = call(project_id=project_id)
        item = addition(new_call, f"{days} days", expiration_date=TODAY - timedelta(days=days))
        await store.commit(change_set(new_call, added=[item]))
    seen: list[str] = []

    def by(project_id: str) -> Call:
        seen.append(project_id)
        return replace(call(project_id=project_id, scope=Scope()), method="Retention")

    receipts = [await changes.purge(TODAY, 2, by) for _ in range(4)]
    assert [receipt and receipt.memories for receipt in receipts] == [2, 1, 1, None]
    assert seen == [PROJECT, "project-2", PROJECT]


async def test_a_purge_leaves_what_expired_later(store: MemoryStore, changes: MemoryStore) -> None:
    last = await stored(store, "that day", expiration_date=TODAY)
    never = await stored(store, "never")
    assert await changes.purge(TODAY, 9, lambda _project: call()) is None
    assert await store.visible(PROJECT, [last.id, never.id], TODAY) == {last.id, never.id}
