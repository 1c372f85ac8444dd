"""The contract of reading the past, on PostgreSQL and on the fake of the unit tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from server.memories.memory import EventType, ListCursor, ListOrder, MemoryEvent
from server.memories.ports import MemoryStore
from server.memories.queries import ListQuery
from server.memories.scope import Scope
from server.storage.postgres.memory_store import PostgresMemoryStore
from tests.support.builders import (
    ALICE,
    HOUR,
    NOW,
    PROJECT,
    add_with_history,
    adding,
    addition,
    call,
    change_set,
)
from tests.support.fake_store import FakeStore

TODAY = NOW.date()


@pytest.fixture(params=["fake", "postgres"])
def store(request: pytest.FixtureRequest) -> MemoryStore:
    if request.param == "fake":
        return FakeStore()
    return PostgresMemoryStore(request.getfixturevalue("database"), on_commit=lambda: None)


async def test_a_deleted_memory_has_its_whole_history(store: MemoryStore) -> None:
    item = await add_with_history(store)
    events = await store.events(PROJECT, item.memory.id, 0, 10)

    assert [(e.type, e.version, e.time) for e in events] == [
        (EventType.ADD, 1, NOW),
        (EventType.UPDATE, 2, NOW + HOUR),
        (EventType.DELETE, 3, NOW + 2 * HOUR),
    ]
    assert {event.memory_id for event in events} == {item.memory.id}
    assert events[0].before is None
    assert events[0].after == item.memory
    assert events[0].provenance == item.memory.provenance
    assert events[-1].after is None
    assert [before.after for before, _ in pairwise(events)] == [e.before for e in events[1:]]
    assert [e.provenance.correlation_id for e in events[1:]] == ["correlation-2", "correlation-3"]


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_pages_of_events_are_the_whole_history(store: MemoryStore, size: int) -> None:
    item = await add_with_history(store)
    seen: list[MemoryEvent] = []
    after = 0
    while page := await store.events(PROJECT, item.memory.id, after, size):
        assert len(page) <= size
        seen += page
        after = page[-1].version
    assert seen == await store.events(PROJECT, item.memory.id, 0, 10)


@pytest.mark.parametrize(
    ("since", "text"),
    [
        (-timedelta(microseconds=1), None),
        (timedelta(0), "in Berlin"),
        (HOUR - timedelta(microseconds=1), "in Berlin"),
        (HOUR, "in Lisbon"),
        (2 * HOUR, None),
    ],
)
async def test_a_memory_is_read_as_it_was(
    store: MemoryStore, since: timedelta, text: str | None
) -> None:
    item = await add_with_history(store)
    memory = await store.get(PROJECT, item.memory.id, TODAY, NOW + since)
    assert (memory.text if memory else None) == text
    listed = await store.list(
        ListQuery(PROJECT, ALICE, 10, ListOrder.NEWEST_FIRST, TODAY, time=NOW + since)
    )
    assert listed == ([memory] if memory else [])


async def test_the_present_equals_the_store(store: MemoryStore) -> None:
    await add_with_history(store)
    await store.commit(adding("one", "two"))
    await store.commit(adding("of a run", scope=Scope(user_id="alice", run_id="r")))
    await store.commit(adding("of Bob", scope=Scope(user_id="bob")))
    for scope in (ALICE, Scope(run_id="r"), Scope()):
        query = ListQuery(PROJECT, scope, 10, ListOrder.OLDEST_FIRST, TODAY)
        past = replace(query, time=NOW + 3 * HOUR)
        assert await store.list(past) == await store.list(query)


async def test_expired_memories_were_visible_until_then(store: MemoryStore) -> None:
    new_call = call()
    item = addition(new_call, "one", expiration_date=TODAY)
    await store.commit(change_set(new_call, added=[item]))
    found = [
        await store.get(PROJECT, item.memory.id, day, NOW)
        for day in (TODAY, TODAY + timedelta(days=1), None)
    ]
    assert found == [item.memory, None, item.memory]
    tomorrow = TODAY + timedelta(days=1)
    query = ListQuery(PROJECT, ALICE, 10, ListOrder.OLDEST_FIRST, tomorrow, time=NOW)
    assert await store.list(query) == []


@pytest.mark.parametrize("order", list(ListOrder))
async def test_pages_of_the_past_hold_every_memory_once_in_order(
    store: MemoryStore, order: ListOrder
) -> None:
    for n in range(7):
        new_call = call(time=NOW + timedelta(seconds=n // 2))
        await store.commit(change_set(new_call, [], [addition(new_call, f"memory {n}")]))
    seen, after = [], None
    query = ListQuery(PROJECT, ALICE, 3, order, TODAY, time=NOW + HOUR)
    while page := await store.list(replace(query, after=after)):
        seen += page
        after = ListCursor(page[-1].create_time, page[-1].id)
    keys = [(memory.create_time, memory.id) for memory in seen]
    assert len(keys) == 7
    assert keys == sorted(keys, reverse=order is ListOrder.NEWEST_FIRST)


async def test_nothing_crosses_projects(store: MemoryStore) -> None:
    theirs = adding("theirs", project_id="project-2")
    await store.commit(theirs)
    memory_id = theirs.added[0].memory_id
    assert await store.events(PROJECT, memory_id, 0, 10) == []
    assert await store.get(PROJECT, memory_id, None, NOW) is None
    query = ListQuery(PROJECT, Scope(), 10, ListOrder.OLDEST_FIRST, None, time=NOW)
    assert await store.list(query) == []
