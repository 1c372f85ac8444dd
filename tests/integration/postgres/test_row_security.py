"""Row-level security: what a server's role sees without naming a project, and what it may do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from server.core.request_context import enter_project
from server.storage.postgres.connections import ConfinedConnection
from server.storage.postgres.pool import Database
from server.storage.postgres.schema import RoleUnknown, migrate
from tests.support.postgres import as_service, opened

TENANTS_TABLES = """
    SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS is_locked
    FROM pg_class AS c
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'project_id'
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
"""
BACKEND = "SELECT pg_backend_pid()"
MESSAGE = """
    INSERT INTO messages (project_id, call_id, ordinal, message_id, role, content, event_time)
    VALUES ($1, $2, 0, $3, 'user', 'Hello.', now())
"""
# Deliberately without a condition on the project, to test the second safeguard.
PROJECTS = "SELECT DISTINCT project_id FROM messages ORDER BY project_id"


@pytest.fixture
async def owner(postgres_dsn: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection of the tables' owner, who has stored rows of the projects `a` and `b`."""
    connection = await asyncpg.connect(postgres_dsn)
    for project in ("a", "b"):
        await connection.execute(MESSAGE, project, uuid4(), uuid4())
    yield connection
    await connection.close()


@pytest.fixture
async def service(
    owner: asyncpg.Connection[asyncpg.Record], postgres_dsn: str
) -> AsyncIterator[Database]:
    """The pool of a server whose role is subject to row-level security."""
    del owner
    async with opened(as_service(postgres_dsn), pool_size=2) as database:
        yield database


async def fetch(database: Database, statement: str, project_id: str | None = None) -> list[object]:
    """The first column, fetched in a task that works for this project alone."""

    async def fetched() -> list[object]:
        if project_id is not None:
            enter_project(project_id)
        async with database.connection() as connection:
            return [row[0] for row in await connection.fetch(statement)]

    return await asyncio.create_task(fetched())


async def test_row_level_security_also_holds_for_the_owner_of_a_table(
    owner: asyncpg.Connection[asyncpg.Record],
) -> None:
    tables = {row["name"]: row["is_locked"] for row in await owner.fetch(TENANTS_TABLES)}
    assert {"memories", "passages", "messages", "memory_events", "api_keys"} <= tables.keys()
    assert [name for name, is_locked in tables.items() if not is_locked] == []


async def test_without_a_project_nothing_is_seen(
    owner: asyncpg.Connection[asyncpg.Record], postgres_dsn: str
) -> None:
    tables = [row["name"] for row in await owner.fetch(TENANTS_TABLES)]
    connection = await asyncpg.connect(as_service(postgres_dsn))
    counts = {name: await connection.fetchval(f"SELECT count(*) FROM {name}") for name in tables}
    await connection.close()
    assert counts == dict.fromkeys(tables, 0)
    assert await owner.fetchval("SELECT count(*) FROM messages") == 2


async def test_a_call_sees_the_rows_of_its_project_whatever_the_statement(
    service: Database,
) -> None:
    assert await fetch(service, PROJECTS, "a") == ["a"]
    assert await fetch(service, PROJECTS, "b") == ["b"]
    assert await fetch(service, PROJECTS) == ["a", "b"]


async def test_a_call_cannot_write_into_another_project(service: Database) -> None:
    async def write(project_id: str) -> None:
        enter_project("a")
        async with service.connection() as connection:
            await connection.execute(MESSAGE, project_id, uuid4(), uuid4())

    await asyncio.create_task(write("a"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await asyncio.create_task(write("b"))


async def test_a_project_finds_the_connection_that_it_used_last(service: Database) -> None:
    async def both() -> list[object]:
        async with service.connection() as one, service.connection() as other:
            return [await one.fetchval(BACKEND), await other.fetchval(BACKEND)]

    assert len(set(await both())) == 2
    of_a, of_b = await fetch(service, BACKEND, "a"), await fetch(service, BACKEND, "b")
    assert of_a != of_b
    for _ in range(3):
        assert await fetch(service, BACKEND, "a") == of_a
        assert await fetch(service, BACKEND, "b") == of_b


async def test_a_call_that_ends_while_its_connection_is_prepared_leaves_no_wrong_one(
    postgres_dsn: str, owner: asyncpg.Connection[asyncpg.Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    del owner
    async with opened(as_service(postgres_dsn), pool_size=1) as database:
        assert await fetch(database, PROJECTS, "a") == ["a"]
        execute = ConfinedConnection.execute

        async def interrupted(connection: ConfinedConnection, *arguments: str) -> str:
            await execute(connection, *arguments)
            raise asyncio.CancelledError

        monkeypatch.setattr(ConfinedConnection, "execute", interrupted)
        with pytest.raises(asyncio.CancelledError):
            await fetch(database, PROJECTS, "b")
        monkeypatch.undo()
        assert await fetch(database, PROJECTS, "a") == ["a"]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_events",
        "UPDATE audit_events SET key_id = 'another'",
        "ALTER TABLE messages DISABLE ROW LEVEL SECURITY",
        "DROP TRIGGER audit_events_stay ON audit_events",
        "DELETE FROM schema_migrations",
    ],
)
async def test_the_role_of_a_server_lacks_the_privilege(service: Database, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await fetch(service, statement)


async def test_privileges_for_an_unknown_role_are_refused(postgres_dsn: str) -> None:
    with pytest.raises(RoleUnknown, match="no role 'nobody_there'; create it first"):
        await migrate(postgres_dsn, lambda _: None, "nobody_there")
