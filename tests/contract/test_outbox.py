"""The contract of the graph's outbox, held on PostgreSQL and on the unit tests' fake."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from server.core.clock import Clock
from server.graph.project.ports import Outbox
from server.memories.changes import ChangeSet, Deletion
from server.memories.ports import MemoryStore
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.outbox import PostgresOutbox
from server.storage.postgres.pool import Database
from tests.support import builders
from tests.support.builders import ALICE, LISBON, PROJECT, addition, call, change_set, revision
from tests.support.fake_outbox import FakeOutbox
from tests.support.fake_store import FakeStore
from tests.support.fakes import FakeClock
from tests.support.postgres import until_somebody_waits

LEASE = timedelta(minutes=1)
NO_LEASE = timedelta(0)
TRACEPARENT = f"00-{'a' * 32}-{'b' * 16}-01"


def adding(*texts: str, project_id: str = PROJECT) -> ChangeSet:
    """Adds memories that belong in the graph, because they state a relation."""
    return builders.adding(*texts, project_id=project_id, relations=[LISBON])


@pytest.fixture(params=["fake", "postgres"])
def store(request: pytest.FixtureRequest) -> MemoryStore:
    if request.param == "fake":
        return FakeStore()
    return PostgresMemoryStore(request.getfixturevalue("database"), on_commit=lambda: None)


only_on_postgres = pytest.mark.parametrize("store", ["postgres"], indirect=True)


@pytest.fixture
def outbox(request: pytest.FixtureRequest, store: MemoryStore) -> Outbox:
    if isinstance(store, FakeStore):
        return FakeOutbox(store)
    return PostgresOutbox(request.getfixturevalue("database"), Clock())


async def test_every_added_memory_is_claimed_once(store: MemoryStore, outbox: Outbox) -> None:
    changes = adding("one", "two", "three")
    await store.commit(changes)
    first = await outbox.claim(2, LEASE)
    second = await outbox.claim(10, LEASE)
    assert [len(first), len(second)] == [2, 1]
    claimed = {dirty.memory_id for dirty in (*first, *second)}
    assert claimed == {item.memory_id for item in changes.added}
    assert {dirty.correlation_id for dirty in first} == {"correlation-1"}
    assert await outbox.claim(10, LEASE) == []


async def test_a_change_keeps_the_place_in_its_trace(store: MemoryStore, outbox: Outbox) -> None:
    changes = adding("one")
    await store.commit(changes)
    first = await outbox.claim(10, NO_LEASE)
    later = replace(call(), traceparent=TRACEPARENT)
    await store.commit(change_set(later, updated=[revision(changes.added[0], "one changed")]))
    second = await outbox.claim(10, NO_LEASE)
    assert [dirty.traceparent for dirty in (*first, *second)] == [None, TRACEPARENT]
    # Another projector has settled it meanwhile, so it is claimed again, with the same call.
    await outbox.settle(second)
    assert await outbox.settle([replace(second[0], lease=uuid4())]) == 1
    assert [dirty.traceparent for dirty in await outbox.claim(10, LEASE)] == [TRACEPARENT]


async def test_a_claim_ends_with_its_lease(store: MemoryStore, outbox: Outbox) -> None:
    await store.commit(adding("one"))
    assert [dirty.attempts for dirty in await outbox.claim(10, NO_LEASE)] == [1]
    assert [dirty.attempts for dirty in await outbox.claim(10, NO_LEASE)] == [2]


async def test_a_released_memory_is_claimed_again_after_its_delay(
    store: MemoryStore, outbox: Outbox
) -> None:
    await store.commit(adding("one"))
    claimed = await outbox.claim(10, LEASE)
    await outbox.release(claimed, timedelta(minutes=5))
    assert await outbox.claim(10, LEASE) == []
    await store.commit(adding("two"))
    claimed = await outbox.claim(10, LEASE)
    await outbox.release(claimed, timedelta(0))
    assert [d.memory_id for d in await outbox.claim(10, LEASE)] == [claimed[0].memory_id]


async def test_settled_entries_are_removed(store: MemoryStore, outbox: Outbox) -> None:
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
        change_set(call(), updated=[revision(changes.added[0], "one changed")])
    )
    assert await outbox.claim(10, LEASE) == []
    await outbox.settle(claimed)
    assert await outbox.is_caught_up(PROJECT, first.position)
    assert not await outbox.is_caught_up(PROJECT, second.position)

    again = await outbox.claim(10, LEASE)
    assert [dirty.attempts for dirty in again] == [1]
    await outbox.settle(again)
    assert await outbox.is_caught_up(PROJECT, second.position)


async def test_a_project_does_not_wait_for_the_changes_of_others(
    store: MemoryStore, outbox: Outbox
) -> None:
    committed = await store.commit(adding("theirs", project_id="project-2"))
    assert await outbox.is_caught_up(PROJECT, committed.position)


async def test_a_subgraph_is_the_current_state(store: MemoryStore, outbox: Outbox) -> None:
    new_call = call()
    item = addition(
        new_call,
        "Alice lives in Lisbon",
        entities=[LISBON.source, LISBON.target],
        relations=[LISBON],
    )
    await store.commit(change_set(new_call, [], [item]))
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
    await store.commit(change_set(call(), deleted=[Deletion(changes.added[0].memory_id, 1)]))
    new_call = call()
    expired = addition(new_call, "expired", expiration_date=date(2020, 1, 1), relations=[LISBON])
    await store.commit(change_set(new_call, [], [expired]))
    subgraphs = await outbox.subgraphs(await outbox.claim(10, LEASE))
    assert [subgraph.exists for subgraph in subgraphs] == [False, False]


async def test_a_new_memory_without_entities_is_not_sent_to_the_graph(
    store: MemoryStore, outbox: Outbox
) -> None:
    committed = await store.commit(builders.adding("one", "two"))
    assert await outbox.claim(10, LEASE) == []
    assert await outbox.is_caught_up(PROJECT, committed.position)


async def test_a_memory_that_loses_its_entities_leaves_the_graph(
    store: MemoryStore, outbox: Outbox
) -> None:
    changes = adding("Alice lives in Lisbon")
    await store.commit(changes)
    await outbox.settle(await outbox.claim(10, LEASE))
    emptied = replace(revision(changes.added[0], "moved"), entities=(), relations=())
    await store.commit(change_set(call(), updated=[emptied]))
    [subgraph] = await outbox.subgraphs(await outbox.claim(10, LEASE))
    assert not subgraph.exists


async def test_deleting_a_memory_without_entities_skips_the_graph(
    store: MemoryStore, outbox: Outbox
) -> None:
    plain, named = builders.adding("nothing").added[0], adding("named").added[0]
    await store.commit(ChangeSet(call(), changes=[plain, named]))
    await outbox.settle(await outbox.claim(10, LEASE))
    deleted = [Deletion(item.memory_id, 1) for item in (plain, named)]
    await store.commit(change_set(call(), deleted=deleted))
    assert [dirty.memory_id for dirty in await outbox.claim(10, LEASE)] == [named.memory_id]


async def test_a_deletion_reaches_the_graph_if_an_earlier_change_was_given_up(
    store: MemoryStore, outbox: Outbox
) -> None:
    changes = adding("Alice lives in Lisbon")
    await store.commit(changes)
    await outbox.settle(await outbox.claim(10, LEASE))
    emptied = replace(revision(changes.added[0], "moved"), entities=(), relations=())
    await store.commit(change_set(call(), updated=[emptied]))
    [refused] = await outbox.claim(10, LEASE)
    assert await outbox.refuse(refused, "fault", NO_LEASE, 1)
    deletion = Deletion(emptied.memory_id, 2)
    await store.commit(change_set(call(), deleted=[deletion]))
    assert [dirty.memory_id for dirty in await outbox.claim(10, LEASE)] == [emptied.memory_id]


async def test_only_the_holder_of_the_lease_settles_and_releases(
    store: MemoryStore, outbox: Outbox
) -> None:
    await store.commit(adding("one"))
    late = await outbox.claim(10, NO_LEASE)
    held = await outbox.claim(10, LEASE)
    await outbox.release(late, timedelta(0))
    assert await outbox.claim(10, LEASE) == []
    assert await outbox.settle(held) == 0
    assert await outbox.claim(10, LEASE) == []


async def test_entries_projected_without_the_lease_are_projected_again(
    store: MemoryStore, outbox: Outbox
) -> None:
    """The projector that lost its lease may have overwritten a newer state with an older one."""
    await store.commit(adding("one"))
    late = await outbox.claim(10, NO_LEASE)
    assert await outbox.settle(await outbox.claim(10, LEASE)) == 0
    assert await outbox.settle(late) == 1
    assert [d.memory_id for d in await outbox.claim(10, LEASE)] == [late[0].memory_id]


async def test_a_renewed_lease_lasts(store: MemoryStore, outbox: Outbox) -> None:
    await store.commit(adding("one"))
    claimed = await outbox.claim(10, NO_LEASE)
    await outbox.renew(claimed, LEASE)
    assert await outbox.claim(10, LEASE) == []


async def test_a_refused_memory_is_given_up_blocks_no_other_and_is_tried_again_when_it_changes(
    store: MemoryStore, outbox: Outbox
) -> None:
    changes = adding("one")
    committed = await store.commit(changes)
    for attempt in (1, 2):
        [claimed] = await outbox.claim(10, LEASE)
        given_up = await outbox.refuse(claimed, "ValueError", timedelta(0), patience=2)
        assert given_up is (attempt == 2)
    assert await outbox.claim(10, LEASE) == []
    backlog = await outbox.backlog(PROJECT)
    assert (backlog.pending, backlog.given_up) == (0, 1)
    assert await outbox.is_caught_up(PROJECT, committed.position)

    await store.commit(change_set(call(), updated=[revision(changes.added[0], "two")]))
    assert len(await outbox.claim(10, LEASE)) == 1
    assert (await outbox.backlog(PROJECT)).given_up == 0


async def test_the_backlog_is_counted_by_project_and_in_all(
    store: MemoryStore, outbox: Outbox
) -> None:
    assert (await outbox.backlog()).oldest_seconds == 0
    await store.commit(adding("one", "two"))
    await store.commit(adding("theirs", project_id="project-2"))
    assert [(await outbox.backlog(of)).pending for of in (PROJECT, "project-2", None)] == [2, 1, 3]
    assert (await outbox.backlog()).oldest_seconds > 0


async def expiring(store: MemoryStore, text: str, last_day: date) -> None:
    new_call = call()
    await store.commit(
        change_set(new_call, [], [addition(new_call, text, expiration_date=last_day)])
    )


@only_on_postgres
async def test_a_new_day_makes_expired_memories_dirty_once(
    store: MemoryStore, database: Database
) -> None:
    clock = FakeClock(datetime(2027, 1, 1, 12, tzinfo=UTC))
    outbox, replica = PostgresOutbox(database, clock), PostgresOutbox(database, clock)
    await expiring(store, "today", date(2027, 1, 1))
    await expiring(store, "tomorrow", date(2027, 1, 2))
    await outbox.settle(await outbox.claim(10, LEASE))
    assert await outbox.enqueue_overdue() == 0
    clock.time = datetime(2027, 1, 2, 0, 0, tzinfo=UTC)
    assert [await each.enqueue_overdue() for each in (outbox, replica, outbox)] == [1, 0, 0]
    [subgraph] = await outbox.subgraphs(await outbox.claim(10, LEASE))
    assert not subgraph.exists


@only_on_postgres
async def test_a_server_that_was_away_for_days_misses_no_expiry(
    store: MemoryStore, database: Database
) -> None:
    clock = FakeClock(datetime(2027, 1, 1, 12, tzinfo=UTC))
    outbox = PostgresOutbox(database, clock)
    await expiring(store, "one", date(2027, 1, 1))
    await expiring(store, "two", date(2027, 1, 5))
    await outbox.settle(await outbox.claim(10, LEASE))
    await outbox.enqueue_overdue()
    later = PostgresOutbox(database, FakeClock(datetime(2027, 1, 9, tzinfo=UTC)))
    assert await later.enqueue_overdue() == 2


@only_on_postgres
async def test_a_late_clock_does_not_restore_expired_memories(
    store: MemoryStore, database: Database
) -> None:
    early = PostgresOutbox(database, FakeClock(datetime(2027, 1, 2, tzinfo=UTC)))
    late = PostgresOutbox(database, FakeClock(datetime(2027, 1, 1, 23, tzinfo=UTC)))
    await expiring(store, "one", date(2027, 1, 1))
    await early.enqueue_overdue()
    assert await late.enqueue_overdue() == 0
    [subgraph] = await late.subgraphs(await late.claim(10, LEASE))
    assert not subgraph.exists


@only_on_postgres
async def test_a_change_while_its_memory_is_settled_stays(
    store: MemoryStore, outbox: Outbox, postgres_dsn: str
) -> None:
    changes = adding("one")
    await store.commit(changes)
    claimed = await outbox.claim(10, LEASE)
    rival = await asyncpg.connect(postgres_dsn)
    try:
        async with rival.transaction():
            await rival.execute("UPDATE graph_outbox SET position = position + 5")
            # Its snapshot shows the row as it was before the change.
            settling = asyncio.create_task(outbox.settle(claimed))
            await until_somebody_waits(rival)
    finally:
        await rival.close()
    assert await settling == 0
    [again] = await outbox.claim(10, LEASE)
    assert again.position == claimed[0].position + 5


@only_on_postgres
async def test_a_change_with_an_earlier_position_is_not_the_claimed_one(
    store: MemoryStore, outbox: Outbox, database: Database
) -> None:
    """A call may take its position before another one, and commit after it."""
    changes = adding("one")
    await store.commit(changes)
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE graph_outbox SET position = position + 5, first_position = position"
        )
    claimed = await outbox.claim(10, LEASE)
    await store.commit(change_set(call(), updated=[revision(changes.added[0], "one changed")]))
    await outbox.settle(claimed)
    assert [dirty.memory_id for dirty in await outbox.claim(10, LEASE)] == [claimed[0].memory_id]


async def test_only_changes_for_the_graph_are_announced(database: Database) -> None:
    outbox, announced = PostgresOutbox(database, Clock()), [0]

    def announce() -> None:
        announced[0] += 1

    store = PostgresMemoryStore(database, on_commit=lambda: None, on_graph_change=announce)
    await store.commit(builders.adding("tea"))
    assert (announced, await outbox.claim(10, LEASE)) == ([0], [])
    await store.commit(changes := adding("home"))
    assert (announced, len(await outbox.claim(10, LEASE))) == ([1], 1)
    [home] = changes.added
    await store.commit(change_set(call(), updated=[revision(home, "home changed")]))
    await store.delete(call(), Deletion(home.memory_id, 2))
    assert announced == [3]
