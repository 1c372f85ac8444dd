"""Statements that read every value of a scope: few at a time, and not for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, suppress

import pytest

from server.core.fairness import ActiveTenants
from server.core.request_context import BackgroundPlace, enter_place
from server.core.transient_errors import Overloaded
from server.core.values import JsonValue
from server.memories.filters.parser import parse_filter
from server.storage.postgres.filters import reads_values
from server.storage.postgres.long_statements import SHORTEST_SECONDS, LongStatements
from server.storage.postgres.pool import Database
from tests.support.postgres import opened
from tests.support.processes import eventually


@pytest.fixture
async def database(postgres_dsn: str) -> AsyncIterator[Database]:
    """A pool of eight connections, which allows two such statements."""
    async with opened(postgres_dsn, acquire_timeout=0.1, statement_timeout=2.0) as database:
        async with database.pool.acquire(), database.pool.acquire(), database.pool.acquire():
            pass  # connecting may take longer than the wait that is tested
        yield database


async def read(database: Database, statement: str) -> object:
    async with database.long_read() as connection:
        return await connection.fetchval(statement)


async def test_only_a_few_run_at_a_time_and_other_statements_continue(database: Database) -> None:
    async with AsyncExitStack() as held:
        for _ in range(2):
            await held.enter_async_context(database.long_write())
        with pytest.raises(Overloaded):
            await read(database, "SELECT 1")
        async with database.connection() as connection:
            assert await connection.fetchval("SELECT 1") == 1
    assert await read(database, "SELECT 1") == 1


async def test_a_tenant_beside_others_runs_one_at_a_time(database: Database) -> None:
    async def use_shortly() -> None:
        enter_place(BackgroundPlace("quiet"))
        async with database.connection():
            pass

    enter_place(BackgroundPlace("busy"))
    async with database.long_write():
        async with database.long_write():
            pass
        await asyncio.create_task(use_shortly())
        with pytest.raises(Overloaded):
            await read(database, "SELECT 1")

    async def can_read() -> bool:
        with suppress(Overloaded):
            return await read(database, "SELECT 1") == 1
        return False

    await eventually(can_read, 30, "a place for the next read")


async def test_the_next_statement_waits_while_other_tenants_are_active() -> None:
    active, loop = ActiveTenants(), asyncio.get_running_loop()
    statements = LongStatements(8, wait_seconds=60.0, read_seconds=30.0, active=active)
    enter_place(BackgroundPlace("busy"))
    for tenant in ("quiet", "busy"):
        active.note(tenant)
    async with statements.room():
        await asyncio.sleep(0.02)
    ended = loop.time()
    async with statements.room():
        assert loop.time() - ended > 0.02


async def test_a_read_is_ended_in_time(database: Database) -> None:
    with pytest.raises(Overloaded):
        await read(database, "SELECT pg_sleep(60)")
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_the_more_wait_the_less_time_a_read_has() -> None:
    statements = LongStatements(
        connections=8, wait_seconds=60.0, read_seconds=30.0, active=ActiveTenants()
    )

    async def wait_for_room() -> None:
        async with statements.room():
            pass

    assert statements.read_seconds() == 30.0
    async with statements.room(), statements.room(), asyncio.TaskGroup() as waiting:
        tasks = [waiting.create_task(wait_for_room()) for _ in range(2)]
        await asyncio.sleep(0)
        assert statements.read_seconds() == 10.0
        tasks += [waiting.create_task(wait_for_room()) for _ in range(100)]
        await asyncio.sleep(0)
        assert statements.read_seconds() == SHORTEST_SECONDS
        for task in tasks:
            task.cancel()


async def test_a_write_is_not_ended(database: Database) -> None:
    async with database.long_write() as connection:
        # The least time that a read gets.
        assert await connection.fetchval("SELECT 1 FROM pg_sleep(1.1)") == 1


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"text": "a"}, False),
        ({"AND": [{"user_id": "a"}, {"NOT": [{"text": {"icontains": "a"}}]}]}, True),
        ({"OR": [{"metadata.tags": {"contains": "a"}}]}, True),
    ],
)
def test_filters_that_read_every_value_are_recognized(
    filters: Mapping[str, JsonValue], *, expected: bool
) -> None:
    assert reads_values(parse_filter(filters)) is expected
    assert reads_values(None) is False
