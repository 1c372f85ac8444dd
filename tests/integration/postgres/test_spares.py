"""Connections that calls have just given back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from server.storage.postgres.pool import Database
from tests.support.postgres import opened

BACKEND = "SELECT pg_backend_pid()"


@pytest.fixture
async def database(postgres_dsn: str) -> AsyncIterator[Database]:
    """A pool of two connections."""
    async with opened(postgres_dsn, pool_size=2) as database:
        yield database


async def backend(database: Database) -> int:
    async with database.connection() as connection:
        return int(await connection.fetchval(BACKEND))


async def test_the_next_call_gets_the_connection_of_the_last_one(database: Database) -> None:
    first = await backend(database)
    async with database.connection() as held:
        assert await held.fetchval(BACKEND) == first
        assert await backend(database) != first
    assert await backend(database) == first


async def test_a_spare_connection_counts_as_idle(database: Database) -> None:
    async with database.connection():
        assert (database.usage().size, database.usage().idle) == (1, 0)
    assert (database.usage().size, database.usage().idle) == (1, 1)


async def test_a_connection_after_an_error_is_in_order(database: Database) -> None:
    async def fail() -> None:
        async with database.connection() as connection:
            await connection.execute("BEGIN")
            await connection.execute("SELEC 1")

    with pytest.raises(asyncpg.PostgresSyntaxError):
        await fail()
    async with database.connection() as connection:
        assert not connection.is_in_transaction()


async def test_renewed_connections_are_new_ones(database: Database) -> None:
    before = await backend(database)
    await database.renew_connections()
    assert await backend(database) != before


async def test_spare_connections_return_to_the_pool(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.storage.postgres.connections.RETURN_SECONDS", 0.01)
    await backend(database)
    assert database.pool.get_idle_size() == 0
    async with asyncio.timeout(20):
        # The pool tells nobody when it gets a connection back.
        while database.pool.get_idle_size() == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert database.usage().idle == 1
