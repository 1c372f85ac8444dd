"""Contract of the presence of servers, and of the leases of dead servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from server.core.errors import ConcurrentChange
from server.memories.scope import Scope
from server.operations.ports import ClaimedOperation, ScopeLease, Shares
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.operations import PostgresOperations
from server.storage.postgres.pool import Database
from server.storage.postgres.servers import (
    PostgresLeases,
    enter,
    new_server_id,
)
from tests.support.builders import ALICE, PROJECT, adding
from tests.support.submissions import change, submission

LONG, OVER = timedelta(hours=1), timedelta(0)
ALL = Shares(largest=100)
PATIENCE_SECONDS = 20.0
BOB = Scope(user_id="bob")


class Server:
    """A server that can die: its session, and its leases."""

    def __init__(self, dsn: str, database: Database) -> None:
        self.id = new_server_id()
        self.operations = PostgresOperations(database, self.id)
        self.leases = PostgresLeases(database, self.id)
        self._dsn = dsn
        self._session: asyncpg.Connection[asyncpg.Record] | None = None

    async def enter(self) -> None:
        self._session = await asyncpg.connect(self._dsn, command_timeout=PATIENCE_SECONDS)
        await enter(self._session, self.id)

    async def die(self) -> None:
        if self._session is not None:
            # The session itself may end after its client believes it closed.
            await self._session.fetchval("SELECT pg_advisory_unlock_all()")
            await self._session.close()
            self._session = None

    async def claim(self) -> ClaimedOperation | None:
        claimed = await self.operations.claim(1, LONG, ALL)
        return claimed[0] if claimed else None


@pytest.fixture
def presence(database: Database) -> PostgresLeases:
    return PostgresLeases(database)


@pytest.fixture
def store(database: Database) -> PostgresMemoryStore:
    return PostgresMemoryStore(database, on_commit=lambda: None)


@pytest_asyncio.fixture
async def server(postgres_dsn: str, database: Database) -> AsyncIterator[Server]:
    entered = Server(postgres_dsn, database)
    await entered.enter()
    yield entered
    await entered.die()


@pytest_asyncio.fixture
async def other(postgres_dsn: str, database: Database) -> AsyncIterator[Server]:
    entered = Server(postgres_dsn, database)
    await entered.enter()
    yield entered
    await entered.die()


def turn(scope: Scope = ALICE) -> ScopeLease:
    return ScopeLease(PROJECT, scope.key(), uuid4())


async def test_a_dead_server_is_missing(
    presence: PostgresLeases, server: Server, other: Server
) -> None:
    assert await presence.missing() == set()
    await server.die()
    assert await presence.missing() == {server.id}
    await server.enter()
    assert await presence.missing() == set()


async def test_a_server_is_present_while_one_of_its_sessions_is(
    presence: PostgresLeases, server: Server, postgres_dsn: str
) -> None:
    """As if PostgreSQL had not noticed yet that a replaced connection is lost."""
    second = await asyncpg.connect(postgres_dsn, command_timeout=PATIENCE_SECONDS)
    await enter(second, server.id)
    await server.die()
    assert await presence.missing() == set()
    await second.close()


async def test_leases_of_a_dead_server_end_at_once(
    presence: PostgresLeases, server: Server, other: Server, store: PostgresMemoryStore
) -> None:
    await server.operations.submit(submission())
    late, mine = await server.claim(), turn()
    assert late is not None
    assert await server.leases.acquire(mine, LONG)
    assert await other.claim() is None
    assert not await other.leases.acquire(turn(), LONG)

    await server.die()
    assert await presence.end_leases({server.id}) == 2
    heir = await other.claim()
    assert heir is not None
    assert (heir.lease.operation_id, heir.attempts) == (late.lease.operation_id, 2)
    assert await other.leases.acquire(turn(), LONG)
    # If it is still alive, it can neither renew its lease nor commit.
    assert not await server.operations.renew(late, LONG)
    assert not await server.leases.renew(mine, LONG)
    for changes in (change(late), replace(adding("Alice likes cake"), lease=mine.lease_id)):
        with pytest.raises(ConcurrentChange):
            await store.commit(changes)
    assert await store.get_call(PROJECT, late.lease.operation_id) is None
    await store.commit(change(heir))
    assert await store.get_call(PROJECT, heir.lease.operation_id) is not None


async def test_a_lease_that_was_not_taken_over_permits_a_commit(
    presence: PostgresLeases, server: Server, store: PostgresMemoryStore
) -> None:
    await server.operations.submit(submission())
    claimed, mine = await server.claim(), turn(BOB)
    assert claimed is not None
    assert await server.leases.acquire(mine, LONG)
    await server.die()
    assert await presence.end_leases({server.id}) == 2
    assert await server.leases.renew(mine, LONG)
    await store.commit(change(claimed))
    assert await store.get_call(PROJECT, claimed.lease.operation_id) is not None


async def test_a_server_that_is_back_keeps_its_leases(
    presence: PostgresLeases, server: Server, other: Server
) -> None:
    await server.operations.submit(submission())
    assert await server.claim() is not None
    await server.die()
    assert await presence.missing() == {server.id}
    await server.enter()
    assert await presence.end_leases({server.id}) == 0
    assert await other.claim() is None
    # It is remembered, so that it is missed when it dies.
    await server.die()
    assert await presence.missing() == {server.id}


async def test_only_the_leases_of_the_dead_end(
    presence: PostgresLeases, server: Server, other: Server
) -> None:
    for scope in (ALICE, BOB):
        await server.operations.submit(submission(scope))
    assert await server.claim() is not None
    assert await other.claim() is not None
    assert await other.leases.acquire(turn(), LONG)
    await server.die()
    assert await presence.end_leases({server.id, other.id}) == 1
    assert not await server.leases.acquire(turn(), LONG)


async def test_a_lease_belongs_to_its_current_holder(
    presence: PostgresLeases, server: Server, other: Server
) -> None:
    await server.operations.submit(submission())
    assert len(await server.operations.claim(1, OVER, ALL)) == 1
    assert await server.leases.acquire(turn(), OVER)
    assert await other.claim() is not None
    assert await other.leases.acquire(turn(), LONG)
    await server.die()
    assert await presence.end_leases({server.id}) == 0
    await other.die()
    assert await presence.end_leases({other.id}) == 2


async def test_a_server_is_missed_once_until_it_is_back(
    presence: PostgresLeases, server: Server
) -> None:
    """A living server that cannot connect keeps the leases that it takes from then on."""
    await server.die()
    assert await presence.end_leases({server.id}) == 0
    assert await presence.missing() == set()
    await server.operations.submit(submission())
    assert await server.claim() is not None
    assert await server.leases.acquire(turn(), LONG)
    assert await presence.end_leases({server.id}) == 0
    assert await server.claim() is None


async def test_ended_operations_are_unchanged(presence: PostgresLeases, server: Server) -> None:
    await server.operations.submit(submission())
    claimed = await server.claim()
    assert claimed is not None
    assert await server.operations.release(claimed, LONG, is_failure=False)
    await server.die()
    assert await presence.end_leases({server.id}) == 0
    assert await server.claim() is None


async def test_a_commit_in_progress_is_not_waited_for(
    presence: PostgresLeases, server: Server, other: Server, database: Database
) -> None:
    mine = turn()
    assert await server.leases.acquire(mine, LONG)
    await server.operations.submit(submission())
    assert await server.claim() is not None
    await server.die()
    async with database.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("SELECT FROM scope_leases FOR UPDATE")
        assert await presence.end_leases({server.id}) == 1
        await transaction.rollback()
    assert not await other.leases.acquire(turn(), LONG)
    assert await other.claim() is not None
    # The server is still missed, so the next check ends the lease that was skipped.
    assert await presence.missing() == {server.id}
    assert await presence.end_leases({server.id}) == 1
    assert await other.leases.acquire(turn(), LONG)
    assert await presence.missing() == set()
