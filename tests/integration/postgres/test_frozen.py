"""A suspended PostgreSQL holds no call past its deadline."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from server.core.request_context import RequestContext
from server.embedded import EmbeddedPostgres, no_progress
from server.storage.postgres.connections import transaction
from server.storage.postgres.pool import Database
from tests.support.postgres import opened
from tests.support.processes import eventually, signal_all
from tests.support.request_context import in_request

DEADLINE_SECONDS = 0.3
# All waits of asyncpg for a suspended server are longer than this.
PATIENCE_SECONDS = 4.0


@pytest_asyncio.fixture
async def own_postgres(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    async with EmbeddedPostgres(tmp_path / "postgres", no_progress) as postgres:
        yield postgres


def family(postgres: EmbeddedPostgres) -> list[psutil.Process]:
    assert postgres.pid is not None
    server = psutil.Process(postgres.pid)
    return [server, *server.children(recursive=True)]


async def ask(database: Database) -> object:
    async with database.connection() as connection:
        return await connection.fetchval("SELECT 1")


async def ask_in_transaction(database: Database) -> object:
    async with database.connection() as connection, transaction(connection):
        await connection.execute("SELECT 1")
        return await connection.fetchval("SELECT pg_sleep(60)")


async def ends_in_time(database: Database, work: Callable[[Database], Awaitable[object]]) -> None:
    """Runs the work as a call, which is cancelled at its deadline."""

    async def call() -> object:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await work(database)

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        await in_request(RequestContext("c", began + 60.0), call)
    assert time.monotonic() - began < PATIENCE_SECONDS


async def recovers(database: Database) -> None:
    async def works() -> bool:
        return await ask(database) == 1

    await eventually(works, 20.0, "a statement after the stop")

    async def all_idle() -> bool:
        return database.pool.get_idle_size() == database.pool.get_size()

    await eventually(all_idle, 20.0, "every connection free again")


async def test_a_stopped_server_holds_no_call_and_no_connection(
    own_postgres: EmbeddedPostgres,
) -> None:
    """Neither by a single statement nor by a transaction."""
    dsn = own_postgres.dsn
    async with opened(dsn, pool_size=2) as one, opened(dsn, pool_size=2) as other:
        assert [await ask(database) for database in (one, other)] == [1, 1]
        running = asyncio.gather(ends_in_time(one, ask), ends_in_time(other, ask_in_transaction))
        stopped = family(own_postgres)
        signal_all(stopped, signal.SIGSTOP)
        try:
            await running
            await asyncio.gather(ends_in_time(one, ask), ends_in_time(other, ask))
        finally:
            signal_all(stopped, signal.SIGCONT)
        await asyncio.gather(recovers(one), recovers(other))


async def test_a_transaction_that_is_cancelled_leaves_nothing(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute("CREATE TABLE half (n integer)")
    inserted = asyncio.Event()

    async def begin() -> None:
        async with database.connection() as connection, transaction(connection):
            await connection.execute("INSERT INTO half VALUES (1)")
            inserted.set()
            await connection.execute("SELECT pg_sleep(60)")

    task = asyncio.create_task(begin())
    await inserted.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    async with database.connection() as connection:
        # Waits for the lock of what is left of the transaction, if anything is.
        await connection.execute("ALTER TABLE half ADD COLUMN m integer")
        assert await connection.fetchval("SELECT count(*) FROM half") == 0
