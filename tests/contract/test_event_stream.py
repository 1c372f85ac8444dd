"""The contract of reading events as they come, held on PostgreSQL."""

from __future__ import annotations

import asyncpg
import pytest

from server.memories.memory import EventType, StreamCursor
from server.memories.ports import MemoryStore
from server.memories.scope import Scope
from server.storage.postgres import memory_history
from tests.support.builders import ALICE, PROJECT, add_with_history, addition, call, change_set

BEGIN = StreamCursor(0)
EVERYONE = Scope()


async def remember(store: MemoryStore, text: str, scope: Scope = ALICE) -> None:
    new_call = call(scope=scope)
    await store.commit(change_set(new_call, added=[addition(new_call, text)]))


async def texts(store: MemoryStore, after: StreamCursor) -> tuple[list[str], StreamCursor]:
    page = await store.stream(PROJECT, EVERYONE, after, 100)
    return [s.event.after.text for s in page.events if s.event.after], page.cursor


async def test_the_events_of_a_memory_are_read_in_order(store: MemoryStore) -> None:
    await add_with_history(store)
    page = await store.stream(PROJECT, ALICE, BEGIN, 10)
    assert [
        (
            s.event.type,
            s.event.before.text if s.event.before else None,
            s.event.after.text if s.event.after else None,
            s.event.provenance.correlation_id,
        )
        for s in page.events
    ] == [
        (EventType.ADD, None, "in Berlin", "correlation-1"),
        (EventType.UPDATE, "in Berlin", "in Lisbon", "correlation-2"),
        (EventType.DELETE, "in Lisbon", None, "correlation-3"),
    ]
    assert page.is_last
    assert not page.is_held_back


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_pages_hold_each_event_once(store: MemoryStore, limit: int) -> None:
    await add_with_history(store)
    await add_with_history(store, Scope(user_id="bob", run_id="r"))
    seen = []
    after = BEGIN
    while True:
        page = await store.stream(PROJECT, EVERYONE, after, limit)
        assert len(page.events) <= limit
        seen += [(s.event.memory_id, s.event.version) for s in page.events]
        after = page.cursor
        if page.is_last:
            break
    assert len(seen) == len(set(seen)) == 6


async def test_a_scope_sees_only_its_own_events_and_its_deletions(store: MemoryStore) -> None:
    await add_with_history(store, Scope(user_id="bob", run_id="r"))
    for scope, count in (
        (Scope(user_id="bob"), 3),
        (Scope(run_id="r"), 3),
        (Scope(user_id="bob", run_id="r"), 3),
        (Scope(user_id="bob", run_id="other"), 0),
        (Scope(agent_id="bob"), 0),
    ):
        page = await store.stream(PROJECT, scope, BEGIN, 10)
        assert len(page.events) == count


async def test_a_quiet_scope_of_a_busy_project_is_read_in_steps(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_history, "MOST_EVENTS_READ", 5)
    bob = Scope(user_id="bob")
    for texts_of_alice in (12, 5, 0):
        for n in range(texts_of_alice):
            await remember(store, f"alice {n} of {texts_of_alice}")
        await remember(store, f"bob after {texts_of_alice}", bob)
    pages = [await store.stream(PROJECT, bob, BEGIN, 2)]
    while not pages[-1].is_last:
        pages.append(await store.stream(PROJECT, bob, pages[-1].cursor, 2))
    assert [[s.event.after.text for s in page.events if s.event.after] for page in pages] == [
        [],
        [],
        ["bob after 12"],
        ["bob after 5", "bob after 0"],
        [],
    ]


async def test_another_project_sees_nothing(store: MemoryStore) -> None:
    await add_with_history(store)
    page = await store.stream("another", EVERYONE, BEGIN, 10)
    assert (page.events, page.is_last, page.is_held_back) == ([], True, False)


async def test_late_commits_are_neither_missed_nor_overtaken(
    store: MemoryStore, postgres_dsn: str
) -> None:
    await remember(store, "first")
    first, cursor = await texts(store, BEGIN)
    assert first == ["first"]

    # This transaction gets its id and position before the next event, and commits after it.
    slow = await asyncpg.connect(postgres_dsn)
    try:
        begun = slow.transaction()
        await begun.start()
        await slow.execute(
            "INSERT INTO memory_events SELECT project_id, gen_random_uuid(), version,"
            " nextval('change_position'), ordinal, call_id, type, change_time,"
            " jsonb_set(state, '{text}', '\"slow\"') FROM memory_events"
        )
        await remember(store, "second")
        page = await store.stream(PROJECT, EVERYONE, cursor, 10)
        assert (page.events, page.is_last, page.is_held_back) == ([], True, True)
        await begun.commit()
    finally:
        await slow.close()

    both, cursor = await texts(store, page.cursor)
    assert both == ["slow", "second"]
    assert await texts(store, cursor) == ([], cursor)


async def test_a_cursor_of_now_is_after_all_events(store: MemoryStore) -> None:
    await remember(store, "before")
    now = await store.stream_end()
    await remember(store, "after")
    assert (await texts(store, now))[0] == ["after"]
