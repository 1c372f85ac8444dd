"""The check whether this server can use this database, and the advice if not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from server.core.transient_errors import StoreUnavailable
from server.maintenance import EmbedderIdentity
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.pool import Database
from server.storage.postgres.schema import SQL, PostgresMaintenance, load_migrations, migrate
from tests.support.builders import PROJECT, adding
from tests.support.postgres import opened

pytestmark = pytest.mark.own_database

ONE = EmbedderIdentity("test/one", 768)


@pytest_asyncio.fixture
async def empty_database(empty_postgres_dsn: str) -> AsyncIterator[Database]:
    """A pool on a database without a schema."""
    async with opened(empty_postgres_dsn, pool_size=2) as database:
        yield database


async def execute(database: Database, statement: str) -> None:
    async with database.connection() as connection:
        await connection.execute(statement)


async def test_a_database_without_a_schema_says_what_to_run(empty_database: Database) -> None:
    fault = await PostgresMaintenance(empty_database).schema_fault()
    assert fault == "the database has no schema yet; run: python -m server migrate"


async def test_a_schema_that_is_behind_says_what_to_run(database: Database) -> None:
    latest = load_migrations()[-1].version
    previous = latest - 1
    await execute(
        database,
        f"UPDATE schema_migrations SET version = {previous} WHERE version = {latest}",
    )
    fault = await PostgresMaintenance(database).schema_fault()
    assert fault == (
        f"the schema is at version {previous} and this server needs {latest}; "
        "run: python -m server migrate"
    )


async def test_a_current_schema_has_no_fault(database: Database) -> None:
    assert await PostgresMaintenance(database).schema_fault() is None


async def test_a_newer_schema_has_no_fault(database: Database) -> None:
    await execute(database, "INSERT INTO schema_migrations VALUES (9999, 'newer', 'x')")
    assert await PostgresMaintenance(database).schema_fault() is None


async def test_a_server_that_waited_for_the_migration_works_after_it(
    empty_database: Database, empty_postgres_dsn: str
) -> None:
    readiness = PostgresMaintenance(empty_database)
    assert await readiness.schema_fault() is not None
    await migrate(empty_postgres_dsn, lambda _: None)
    assert await readiness.schema_fault() is None
    changes = adding("Alice likes tea")
    store = PostgresMemoryStore(empty_database, on_commit=lambda: None)
    await store.commit(changes)
    assert await store.get(PROJECT, changes.added[0].memory_id, None) is not None


async def test_the_first_embedder_is_the_stores(database: Database) -> None:
    readiness = PostgresMaintenance(database)
    assert await readiness.claim_embedder(ONE) == ONE
    for other in (EmbedderIdentity("test/two", 768), EmbedderIdentity("test/one", 256)):
        assert await readiness.claim_embedder(other) == ONE
    assert await readiness.claim_embedder(ONE) == ONE


async def test_servers_that_claim_at_once_agree(database: Database) -> None:
    readiness = PostgresMaintenance(database)
    claims = [readiness.claim_embedder(EmbedderIdentity(f"test/{n}", n)) for n in range(8)]
    assert len(set(await asyncio.gather(*claims))) == 1


async def test_a_second_claim_returns_the_first(database: Database) -> None:
    async with database.connection() as connection:
        for number in range(2):
            claim = {"model": f"test/{number}", "dimensions": 8}
            stored = await connection.fetchval(*SQL["claim_embedder"](embedder=claim))
            assert stored["model"] == "test/0"


async def test_an_unreachable_database_is_reported_as_unavailable() -> None:
    async with opened("postgresql://postgres@127.0.0.1:1/memoir") as database:
        readiness = PostgresMaintenance(database)
        with pytest.raises(StoreUnavailable):
            await readiness.schema_fault()
        with pytest.raises(StoreUnavailable):
            await readiness.claim_embedder(ONE)
