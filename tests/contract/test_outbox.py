"""The contract of the graph's outbox, held on PostgreSQL."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from server.adapters.postgres.memory_store import PostgresMemoryStore
from server.adapters.postgres.outbox import PostgresOutbox
from server.adapters.postgres.pool import Database
from server.adapters.system.clock import SystemClock
from server.ports.memory_store import ChangeSet, MemoryStore, Removal
from server.ports.outbox import Outbox
from tests.support.builders import ALICE, LISBON, PROJECT, adding, addition, call, revision

LEASE = timedelta(minutes=1)
NO_LEASE = timedelta(0)


@pytest.fixture
def store(database: Database) -> MemoryStore:
    return PostgresMemoryStore(database, on_commit=lambda: None)


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return PostgresOutbox(database, SystemClock())


async def test_every_added_memory_is_claimed_once(store: MemoryStore, outbox: Outbox) -> None:
    changes = adding("one", "two", "three")
    await store.commit(changes)
    first = await outbox.claim(2, LEASE)
    second = await outbox.claim(10, LEASE)
    assert [len(first), len(second)] == [2, 1]
    claimed = {dirty.memory_id for dirty in (*first, *second)}
    assert claimed == {item.memory.id for item in changes.added}
    assert {dirty.correlation_id for dirty in first} == {"correlation-1"}
    assert await outbox.claim(10, LEASE) == []


async def test_a_claim_ends_with_its_lease(store: MemoryStore, outbox: Outbox) -> None:
    await store.commit(adding("one"))
    assert [dirty.attempts for dirty in await outbox.claim(10, NO_LEASE)] == [1]
    assert [dirty.attempts for dirty in await outbox.claim(10, NO_LEASE)] == [2]


async def test_a_released_claim_comes_back_after_its_delay(
    store: MemoryStore, outbox: Outbox
) -> None:
    await store.commit(adding("one"))
    claimed = await outbox.claim(10, LEASE)
    await outbox.release(claimed, timedelta(minutes=5))
    assert await outbox.claim(10, LEASE) == []
    await outbox.release(claimed, timedelta(0))
    assert len(await outbox.claim(10, LEASE)) == 1


async def test_what_is_settled_is_gone(store: MemoryStore, outbox: Outbox) -> None:
    committed = await store.commit(adding("one"))
    assert not await outbox.is_caught_up(PROJECT, committed.position)
    await outbox.settle(await outbox.claim(10, LEASE))
    assert await outbox.claim(10, LEASE) == []
    assert await outbox.is_caught_up(PROJECT, committed.position)


async def test_a_change_during_the_projection_is_not_lost(
    store: MemoryStore, outbox: Outbox
) -> None:
    changes = adding("one")
    first = await store.commit(changes)
    claimed = await outbox.claim(10, LEASE)
    second = await store.commit(
        ChangeSet(call(), updated=[revision(changes.added[0], "one changed")])
    )
    assert await outbox.claim(10, LEASE) == []
    await outbox.settle(claimed)
    assert await outbox.is_caught_up(PROJECT, first.position)
    assert not await outbox.is_caught_up(PROJECT, second.position)

    again = await outbox.claim(10, LEASE)
    assert [dirty.attempts for dirty in again] == [1]
    await outbox.settle(again)
    assert await outbox.is_caught_up(PROJECT, second.position)


async def test_being_caught_up_is_a_projects_own_affair(store: MemoryStore, outbox: Outbox) -> None:
    committed = await store.commit(adding("theirs", project_id="project-2"))
    assert await outbox.is_caught_up(PROJECT, committed.position)


async def test_a_subgraph_is_the_current_state(store: MemoryStore, outbox: Outbox) -> None:
    of = call()
    item = addition(
        of, "Alice lives in Lisbon", entities=[LISBON.source, LISBON.target], relations=[LISBON]
    )
    await store.commit(ChangeSet(of, [], [item]))
    [subgraph] = await outbox.subgraphs(await outbox.claim(10, LEASE))
    assert subgraph.exists
    assert subgraph.memory_id == item.memory.id
    assert subgraph.version == 1
    assert subgraph.scope == ALICE
    assert tuple(subgraph.relations) == (LISBON,)
    assert tuple(subgraph.entities) == (LISBON.source, LISBON.target)
    assert subgraph.event_time == item.memory.event_time


async def test_a_deleted_or_expired_memory_has_no_subgraph(
    store: MemoryStore, outbox: Outbox
) -> None:
    changes = adding("deleted")
    await store.commit(changes)
    await store.commit(ChangeSet(call(), removed=[Removal(0, changes.added[0].memory.id, 1)]))
    of = call()
    expired = addition(of, "expired", expiration_date=date(2020, 1, 1))
    await store.commit(ChangeSet(of, [], [expired]))
    subgraphs = await outbox.subgraphs(await outbox.claim(10, LEASE))
    assert [subgraph.exists for subgraph in subgraphs] == [False, False]
