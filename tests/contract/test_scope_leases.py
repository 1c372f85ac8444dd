"""Contract of leases on scopes; a commit needs its lease."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from server.core.errors import ConcurrentChange
from server.memories.memory import ListOrder
from server.memories.queries import ListQuery
from server.operations.ports import Leases, ScopeLease
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.pool import Database
from server.storage.postgres.servers import PostgresLeases
from tests.support.builders import ALICE, NOW, PROJECT, adding, addition, call, change_set, revision
from tests.support.fake_store import FakeLeases

LONG = timedelta(minutes=1)
OVER = timedelta(0)
WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
YESTERDAY = (NOW - timedelta(days=1)).date()


def lease(project_id: str = PROJECT, scope_key: bytes = ALICE.key()) -> ScopeLease:
    return ScopeLease(project_id, scope_key, uuid4())


@pytest.fixture(params=["fake", "postgres"])
def leases(request: pytest.FixtureRequest) -> Leases:
    if request.param == "fake":
        return FakeLeases()
    stored: Leases = request.getfixturevalue("stored_leases")
    return stored


@pytest.fixture
def stored_leases(database: Database) -> PostgresLeases:
    """The operations in the database of the memories."""
    return PostgresLeases(database)


@pytest.fixture
def store(database: Database) -> PostgresMemoryStore:
    return PostgresMemoryStore(database, on_commit=lambda: None)


async def texts(store: PostgresMemoryStore) -> list[str]:
    query = ListQuery(PROJECT, ALICE, 10, ListOrder.OLDEST_FIRST, visible_on=None)
    return [memory.text for memory in await store.list(query)]


async def test_a_scope_has_one_holder(leases: Leases) -> None:
    first, second = lease(), lease()
    assert await leases.acquire(first, LONG)
    assert not await leases.acquire(second, LONG)
    await leases.release(second)
    assert not await leases.acquire(second, LONG)
    await leases.release(first)
    assert await leases.acquire(second, LONG)


async def test_racing_for_a_scope_has_one_winner(leases: Leases) -> None:
    won = await asyncio.gather(*(leases.acquire(lease(), LONG) for _ in range(16)))
    assert won.count(True) == 1


async def test_a_lease_that_ran_out_can_be_taken(leases: Leases) -> None:
    first, second, third = lease(), lease(), lease()
    assert await leases.acquire(first, OVER)
    assert await leases.acquire(second, LONG)
    assert not await leases.acquire(third, LONG)
    assert not await leases.renew(first, LONG)


async def test_a_renewed_lease_lasts(leases: Leases) -> None:
    first = lease()
    assert await leases.acquire(first, OVER)
    assert await leases.renew(first, LONG)
    assert not await leases.acquire(lease(), LONG)


async def test_other_scopes_and_projects_have_leases_of_their_own(leases: Leases) -> None:
    for one in (lease(), lease(project_id="project-2"), lease(scope_key=b"other")):
        assert await leases.acquire(one, LONG)


async def test_a_commit_ends_its_lease(
    stored_leases: PostgresLeases, store: PostgresMemoryStore
) -> None:
    mine = lease()
    assert await stored_leases.acquire(mine, LONG)
    await store.commit(replace(adding("Alice likes tea"), lease=mine.lease_id))
    assert await texts(store) == ["Alice likes tea"]
    assert await stored_leases.acquire(lease(), LONG)


async def test_a_lease_that_ran_out_and_was_not_taken_is_good_for_a_commit(
    stored_leases: PostgresLeases, store: PostgresMemoryStore
) -> None:
    mine = lease()
    assert await stored_leases.acquire(mine, OVER)
    await store.commit(replace(adding("Alice likes tea"), lease=mine.lease_id))
    assert await texts(store) == ["Alice likes tea"]


async def test_a_call_that_lost_the_lease_stores_nothing(
    stored_leases: PostgresLeases, store: PostgresMemoryStore
) -> None:
    known = adding("Alice likes tea")
    await store.commit(known)
    late, next_one = lease(), lease()
    assert await stored_leases.acquire(late, OVER)
    assert await stored_leases.acquire(next_one, LONG)
    for changes in (
        adding("Alice likes cake"),
        change_set(call(), updated=[revision(known.added[0], "Alice likes coffee")]),
    ):
        with pytest.raises(ConcurrentChange):
            await store.commit(replace(changes, lease=late.lease_id))
    assert await texts(store) == ["Alice likes tea"]
    assert len(await store.recent_messages(PROJECT, ALICE, 10)) == 1
    assert not await stored_leases.acquire(lease(), LONG)


async def test_a_refused_change_leaves_the_lease(
    stored_leases: PostgresLeases, store: PostgresMemoryStore
) -> None:
    mine = lease()
    assert await stored_leases.acquire(mine, LONG)
    unknown = revision(adding("Alice likes tea").added[0], "Alice likes coffee")
    with pytest.raises(ConcurrentChange):
        await store.commit(change_set(call(), updated=[unknown], lease=mine.lease_id))
    assert await stored_leases.renew(mine, LONG)


async def test_replacing_an_expired_memory_keeps_the_lease_valid(
    stored_leases: PostgresLeases, store: PostgresMemoryStore
) -> None:
    new_call = call(time=NOW - timedelta(days=3))
    old = addition(new_call, "Alice likes tea", expiration_date=YESTERDAY)
    await store.commit(change_set(new_call, added=[old]))
    mine = lease()
    assert await stored_leases.acquire(mine, LONG)
    changes = replace(adding("Alice likes tea"), lease=mine.lease_id)
    committed = await store.commit(changes)
    assert committed.added == {changes.added[0].memory_id}


async def test_a_take_over_waits_for_the_commit_and_sees_it(
    stored_leases: PostgresLeases, store: PostgresMemoryStore, database: Database
) -> None:
    """The row of the lease is locked from the check to the commit."""
    mine = lease()
    assert await stored_leases.acquire(mine, OVER)
    async with database.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(
            "DELETE FROM scope_leases WHERE project_id = $1 AND lease = $2", PROJECT, mine.lease_id
        )
        taking = asyncio.create_task(stored_leases.acquire(lease(), LONG))
        async with database.connection() as watcher:
            while not await watcher.fetchval(WAITING):
                pass
        assert not taking.done()
        await transaction.commit()
    assert await taking


async def test_the_tokens_are_kept_with_the_call(
    store: PostgresMemoryStore, database: Database
) -> None:
    changes = adding("Alice likes tea")
    counted = replace(changes.call, input_tokens=120, output_tokens=30)
    await store.commit(replace(changes, call=counted))
    await store.commit(adding("Alice likes cake"))
    async with database.connection() as connection:
        rows = await connection.fetch(
            "SELECT input_tokens, output_tokens FROM calls ORDER BY position"
        )
    assert [tuple(row) for row in rows] == [(120, 30), (None, None)]
