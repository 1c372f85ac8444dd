"""A real PostgreSQL for tests: one server a session, and a database without rows for a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio

from server.embedded import EmbeddedPostgres, no_progress
from server.storage.postgres.pool import Database, PostgresOptions, open_database
from server.storage.postgres.schema import migrate

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection, Pool

    Session = asyncpg.Connection[asyncpg.Record]

TEMPLATE = "memoir_template"
SERVICE_ROLE = "memoir_service"
"""A role that is subject to row-level security, as recommended for servers."""
# No test restarts the machine; tests that kill PostgreSQL use their own server.
# A vacuum would make room for new rows between others, at a moment that no test knows.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
}

# Long timeouts for busy machines.
_OPTIONS = PostgresOptions(pool_size=8, acquire_timeout=30.0, statement_timeout=120.0)

_numbers = count()


@pytest_asyncio.fixture(scope="session")
async def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The DSN of the session's server; its template database is migrated."""
    directory: Path = tmp_path_factory.mktemp("postgres")
    postgres = EmbeddedPostgres(directory, no_progress, _SETTINGS)
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


class ReusedDatabase:
    """A migrated database that tests use one after another, over connections that stay open.

    PostgreSQL has to read its catalogs for each new connection, which takes longer than most tests.
    """

    def __init__(self, dsn: str, connection: Session, pool: Pool) -> None:
        """`connection` empties the database; tests use the connections of `pool`."""
        self.dsn = dsn
        self._connection = connection
        self._pool = pool
        self._kept: list[int] = []

    @asynccontextmanager
    async def for_a_test(self) -> AsyncIterator[Database]:
        """Yields a pool that knows of no earlier test, although its connections do."""
        database = Database(self._pool, _OPTIONS)
        yield database
        database._spares.return_all()
        await database._releases.finish()
        self._kept = await self._reset()

    async def _reset(self) -> list[int]:
        """Undoes settings and locks of the sessions; returns their process ids."""
        async with AsyncExitStack() as stack:
            taken = [
                await stack.enter_async_context(self._pool.acquire())
                for _ in range(self._pool.get_idle_size())
            ]
            for connection in taken:
                await connection.reset()
            return [connection.get_server_pid() for connection in taken]

    async def empty(self) -> None:
        """Ends all other sessions, which the test has left behind, and removes all rows."""
        await self._connection.execute(_END_SESSIONS, self._kept)
        await self._connection.execute(_EMPTY)


@pytest_asyncio.fixture(scope="session")
async def reused_database(postgres_server: str) -> AsyncIterator[ReusedDatabase]:
    """The database that most tests of the session use."""
    async with (
        migrated_database(postgres_server) as dsn,
        # Plans suit the rows that are there, not the rows of an earlier test.
        open_database(f"{dsn}&plan_cache_mode=force_custom_plan", _OPTIONS) as database,
    ):
        # Emptying the database over a new connection would take twice the CPU time.
        connection = await asyncpg.connect(dsn)
        yield ReusedDatabase(dsn, connection, database.pool)
        await connection.close()


@pytest_asyncio.fixture
async def postgres_dsn(
    request: pytest.FixtureRequest, postgres_server: str, reused_database: ReusedDatabase
) -> AsyncIterator[str]:
    """The DSN of a migrated database without rows."""
    if _needs_own(request):
        async with migrated_database(postgres_server) as dsn:
            yield dsn
    else:
        yield reused_database.dsn
        await reused_database.empty()


@pytest_asyncio.fixture
async def database(
    request: pytest.FixtureRequest, postgres_dsn: str, reused_database: ReusedDatabase
) -> AsyncIterator[Database]:
    """A pool on a migrated database without rows."""
    async with (
        opened(postgres_dsn) if _needs_own(request) else reused_database.for_a_test() as database
    ):
        yield database


def _needs_own(request: pytest.FixtureRequest) -> bool:
    return request.node.get_closest_marker("own_database") is not None


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
    pool_size: int = _OPTIONS.pool_size,
    acquire_timeout: float = _OPTIONS.acquire_timeout,
    statement_timeout: float = _OPTIONS.statement_timeout,
) -> AbstractAsyncContextManager[Database]:
    """Opens a pool for the block."""
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


def copied_database(server: str, dsn: str) -> AbstractAsyncContextManager[str]:
    """Copies a database that nobody is connected to for the block; yields the copy's DSN."""
    return _database(server, urlsplit(dsn).path.removeprefix("/"))


@asynccontextmanager
async def loaded(server: str, *statements: str) -> AsyncIterator[Connection]:
    """Yields the only connection to a migrated database, after executing these statements."""
    async with (
        migrated_database(server) as dsn,
        connected_after(dsn, *statements) as connection,
    ):
        yield connection


@asynccontextmanager
async def connected_after(dsn: str, *statements: str) -> AsyncIterator[Connection]:
    """Yields a connection to a database, after executing these statements."""
    async with opened(dsn, pool_size=1) as database, database.connection() as connection:
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


_END_SESSIONS = """
SELECT pg_terminate_backend(pid, timeout => 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> ALL ($1::int[])
"""

# Deleting few rows takes less time than truncating their table. Deleted rows stay in it until it is
# large and therefore truncated.
_EMPTY = """
DO $$
DECLARE
    name text;
    bytes bigint;
BEGIN
    -- A trigger of the audit log refuses to remove its rows.
    SET LOCAL session_replication_role = replica;
    FOR name, bytes IN
        SELECT tablename, pg_relation_size(tablename::regclass) FROM pg_tables
        WHERE schemaname = 'public' AND tablename <> 'schema_migrations'
    LOOP
        IF bytes > 1000000 THEN
            EXECUTE format('TRUNCATE %I CASCADE', name);
        ELSIF bytes > 0 THEN
            EXECUTE format('DELETE FROM %I', name);
        END IF;
    END LOOP;
    PERFORM setval(sequencename::regclass, start_value, false) FROM pg_sequences
    WHERE last_value IS NOT NULL;
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
