"""Connections are bounded and replaced when they break, and their errors are distinguished."""

from __future__ import annotations

import asyncio
import time
from contextvars import Context

import asyncpg
import pytest
from structlog.testing import capture_logs

from server.core.errors import DeadlineExceeded
from server.core.request_context import BackgroundPlace, RequestContext, enter_place
from server.core.transient_errors import Overloaded, StoreUnavailable
from server.storage.postgres.pool import Database
from tests.support.postgres import opened, with_database
from tests.support.request_context import in_request

AWAY = "postgresql://postgres@127.0.0.1:1/memoir"


async def ask(database: Database, query: str = "SELECT 1") -> object:
    async with database.connection() as connection:
        return await connection.fetchval(query)


async def test_a_pool_opens_without_its_database() -> None:
    async with opened(AWAY) as database:
        with pytest.raises(StoreUnavailable) as raised:
            await ask(database)
        assert isinstance(raised.value.__cause__, OSError)
        assert "127.0.0.1" not in raised.value.message


async def test_a_missing_database_is_unavailable(postgres_server: str) -> None:
    async with opened(with_database(postgres_server, "nowhere")) as database:
        with pytest.raises(StoreUnavailable):
            await ask(database)


async def test_a_login_that_is_refused_is_unavailable(postgres_dsn: str) -> None:
    dsn = postgres_dsn.replace("//postgres@", "//stranger@")
    assert dsn != postgres_dsn
    async with opened(dsn) as database:
        with pytest.raises(StoreUnavailable) as raised:
            await ask(database)
        assert isinstance(raised.value.__cause__, asyncpg.InvalidAuthorizationSpecificationError)


async def test_a_missing_schema_is_unavailable(database: Database) -> None:
    with pytest.raises(StoreUnavailable):
        await ask(database, "SELECT 1 FROM not_migrated_yet")


async def test_a_wrong_statement_is_not_mistaken_for_an_outage(database: Database) -> None:
    with pytest.raises(asyncpg.PostgresSyntaxError):
        await ask(database, "SELEC 1")


async def test_an_exhausted_pool_is_unavailable_in_time(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, pool_size=1, acquire_timeout=0.05) as database:
        async with database.pool.acquire():
            pass  # connecting may take longer than the wait that is tested
        started = time.monotonic()
        async with database.connection():
            with pytest.raises(StoreUnavailable):
                await ask(database)
        assert 0.05 <= time.monotonic() - started < 2.0
        assert await ask(database) == 1


async def connect(database: Database) -> None:
    """Connects three times, because that may take longer than the waits that are tested."""
    async with database.pool.acquire(), database.pool.acquire(), database.pool.acquire():
        pass


async def test_a_wait_for_other_calls_of_a_project_is_no_outage(postgres_dsn: str) -> None:
    # Two of the connections are for calls.
    async with opened(postgres_dsn, pool_size=4, acquire_timeout=0.5) as database:
        await connect(database)
        enter_place(BackgroundPlace("busy"))
        with capture_logs() as lines:
            async with database.connection(), database.connection():
                waits = asyncio.create_task(ask(database))
                await asyncio.create_task(ask(database), context=Context())
                with pytest.raises(Overloaded):
                    await waits
        assert not lines


async def test_a_wait_in_which_no_call_ends_is_an_outage(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, pool_size=4, acquire_timeout=0.1) as database:
        enter_place(BackgroundPlace("busy"))
        await connect(database)
        async with database.connection(), database.connection():
            with pytest.raises(StoreUnavailable):
                await ask(database)


async def test_an_outage_is_logged_once_with_its_end(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, pool_size=1, acquire_timeout=0.1) as database:
        async with database.pool.acquire():
            pass  # so that there is a connection, which the next call gets at once
        with capture_logs() as lines:
            async with database.connection():
                for _ in range(3):
                    with pytest.raises(StoreUnavailable):
                        await ask(database)
        assert [line["event"] for line in lines] == ["postgres.unavailable", "postgres.available"]


async def test_the_wait_for_a_connection_ends_with_the_call(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, pool_size=1, acquire_timeout=60.0) as database:

        async def call() -> object:
            return await ask(database)

        async with database.connection():
            with pytest.raises(StoreUnavailable):
                await in_request(RequestContext("c", time.monotonic() + 0.05), call)
        with pytest.raises(DeadlineExceeded):
            await in_request(RequestContext("c", time.monotonic()), call)


async def test_a_statement_that_takes_too_long_is_ended_by_the_server(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, statement_timeout=0.05) as database:
        with pytest.raises(StoreUnavailable):
            await ask(database, "SELECT pg_sleep(60)")
        assert await ask(database) == 1


async def test_a_connection_that_the_server_drops_is_replaced(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, pool_size=1) as database:
        before = await ask(database, "SELECT pg_backend_pid()")
        administrator = await asyncpg.connect(postgres_dsn)
        assert await administrator.fetchval("SELECT pg_terminate_backend($1, 5000)", before)
        await administrator.close()
        after = await ask(database, "SELECT pg_backend_pid()")
        assert after != before


async def test_a_connection_that_is_dropped_in_use_is_unavailable_and_replaced(
    postgres_dsn: str,
) -> None:
    async with opened(postgres_dsn, pool_size=1) as database:
        with pytest.raises(StoreUnavailable):
            await ask(database, "SELECT pg_terminate_backend(pg_backend_pid())")
        assert await ask(database) == 1


async def test_a_cancelled_call_gives_its_connection_back(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, pool_size=1) as database:
        inside = asyncio.Event()

        async def never_ends() -> None:
            async with database.connection():
                inside.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(never_ends())
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await ask(database) == 1


async def test_json_and_times_come_as_python_values(database: Database) -> None:
    assert await ask(database, """SELECT '{"a": [1, null]}'::jsonb""") == {"a": [1, None]}
    assert await ask(database, "SELECT current_setting('TimeZone')") == "UTC"
    assert await ask(database, "SELECT current_setting('application_name')") == "memoir"


async def test_long_statements_stay_prepared(database: Database) -> None:
    statement = f"SELECT 1 -- {'long ' * 4000}"
    async with database.connection() as connection:
        assert await connection.fetchval(statement) == 1
        prepared = await connection.fetch("SELECT statement FROM pg_prepared_statements")
    assert statement in [row["statement"] for row in prepared]
