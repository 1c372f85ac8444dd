"""A real PostgreSQL for tests: one server a session, and a database without rows for a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
import pytest_asyncio

from server.embedded import EmbeddedPostgres, no_progress
from server.storage.postgres.pool import Database, PostgresOptions, open_database
from server.storage.postgres.schema import migrate

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection

TEMPLATE = "memoir_template"
SERVICE_ROLE = "memoir_service"
"""A role that is subject to row-level security, as recommended for servers."""
# No test restarts the machine; tests that kill PostgreSQL use their own server.
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}

_numbers = count()


@pytest_asyncio.fixture(scope="session")
async def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The DSN of the session's server; its template database is migrated."""
    directory: Path = tmp_path_factory.mktemp("postgres")
    postgres = EmbeddedPostgres(directory, no_progress, _NOT_DURABLE)
    dsn = await postgres.start()
    await create_service_role(dsn)
    await _execute(dsn, f"CREATE DATABASE {TEMPLATE}")
    await migrate(with_database(dsn, TEMPLATE), lambda _: None, SERVICE_ROLE)
    yield dsn
    await postgres.stop()


@pytest_asyncio.fixture
async def empty_postgres_dsn(postgres_server: str) -> AsyncIterator[str]:
    """The DSN of a database for one test, without a schema."""
    async with empty_database(postgres_server) as dsn:
        yield dsn


@dataclass(frozen=True)
class ReusedDatabase:
    """A migrated database that tests use one after another, and a connection to empty it."""

    dsn: str
    connection: asyncpg.Connection[asyncpg.Record]


@pytest_asyncio.fixture(scope="session")
async def reused_database(postgres_server: str) -> AsyncIterator[ReusedDatabase]:
    """The database that most tests of the session use."""
    async with migrated_database(postgres_server) as dsn:
        # Emptying the database over a new connection would take twice the CPU time.
        connection = await asyncpg.connect(dsn)
        yield ReusedDatabase(dsn, connection)
        await connection.close()


@pytest_asyncio.fixture
async def postgres_dsn(reused_database: ReusedDatabase) -> AsyncIterator[str]:
    """The DSN of a migrated database without rows, whose schema stays as it is."""
    yield reused_database.dsn
    await reused_database.connection.execute(_EMPTY)


@pytest_asyncio.fixture
async def database(postgres_dsn: str) -> AsyncIterator[Database]:
    """A pool on a migrated database without rows."""
    async with opened(postgres_dsn) as opened_database:
        yield opened_database


def with_database(dsn: str, name: str) -> str:
    """Returns the DSN with another database's name."""
    head, _, query = dsn.partition("?")
    base = head.rpartition("/")[0]
    return f"{base}/{name}" + (f"?{query}" if query else "")


async def create_service_role(dsn: str) -> None:
    """Creates the role if the server of this database lacks it."""
    connection = await asyncpg.connect(dsn)
    try:
        with suppress(asyncpg.DuplicateObjectError):
            await connection.execute(f"CREATE ROLE {SERVICE_ROLE} LOGIN")
    finally:
        await connection.close()


def as_service(dsn: str) -> str:
    """Returns the DSN with the role that is subject to row-level security."""
    return dsn.replace("//postgres@", f"//{SERVICE_ROLE}@", 1)


def opened(
    dsn: str,
    *,
    pool_size: int = 8,
    acquire_timeout: float = 5.0,
    statement_timeout: float = 30.0,
) -> AbstractAsyncContextManager[Database]:
    """Opens a pool for the block, with a long timeout for busy machines."""
    options = PostgresOptions(
        pool_size=pool_size, acquire_timeout=acquire_timeout, statement_timeout=statement_timeout
    )
    return open_database(dsn, options)


def empty_database(server: str) -> AbstractAsyncContextManager[str]:
    """Creates a database without a schema for the block; yields its DSN."""
    return _database(server, "template1")


def migrated_database(server: str) -> AbstractAsyncContextManager[str]:
    """Creates a migrated database for the block; yields its DSN."""
    return _database(server, TEMPLATE)


@asynccontextmanager
async def loaded(server: str, *statements: str) -> AsyncIterator[Connection]:
    """Yields the only connection to a migrated database, after executing these statements."""
    async with (
        migrated_database(server) as dsn,
        opened(dsn, pool_size=1) as database,
        database.connection() as connection,
    ):
        for statement in statements:
            await connection.execute(statement)
        yield connection


@asynccontextmanager
async def _database(server: str, template: str) -> AsyncIterator[str]:
    name = f"test_{next(_numbers)}"
    # Takes a third less CPU time than to log each page, mostly when the database is dropped.
    await _execute(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    yield with_database(server, name)
    await _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


# Ends all other sessions and removes all rows.
_EMPTY = """
SELECT pg_terminate_backend(pid, timeout => 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid();

DO $$
DECLARE
    name text;
    has_rows boolean;
BEGIN
    -- A trigger of the audit log refuses to remove its rows.
    SET LOCAL session_replication_role = replica;
    FOR name IN
        SELECT tablename FROM pg_tables
        WHERE schemaname = 'public' AND tablename <> 'schema_migrations'
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO has_rows;
        IF has_rows THEN
            EXECUTE format('TRUNCATE %I CASCADE', name);
        END IF;
    END LOOP;
    FOR name IN SELECT sequencename FROM pg_sequences WHERE last_value IS NOT NULL LOOP
        EXECUTE format('ALTER SEQUENCE %I RESTART', name);
    END LOOP;
END
$$
"""


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def until_somebody_waits(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Returns once another session waits for a lock."""
    waiting = False
    while not waiting:
        waiting = await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
        )
