"""Migrations are applied once each and in order, by any number of commands."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from server.core.transient_errors import StoreUnavailable
from server.storage.postgres import schema
from server.storage.postgres.schema import Migration, SchemaConflict, load_migrations, migrate
from tests.support.postgres import with_database

pytestmark = pytest.mark.own_database


async def run(dsn: str) -> list[str]:
    """The names of the steps that were applied."""
    applied: list[str] = []
    count = await migrate(dsn, lambda step: applied.append(step.name))
    assert count == len(applied)
    return applied


async def fetch(dsn: str, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()


async def execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def test_steps_have_a_number_each_in_order() -> None:
    migrations = load_migrations()
    versions = [step.version for step in migrations]
    assert versions == sorted(set(versions))
    assert all(step.name.isidentifier() for step in migrations)


async def test_an_empty_database_gets_every_step(empty_postgres_dsn: str) -> None:
    migrations = load_migrations()
    assert await run(empty_postgres_dsn) == [step.name for step in migrations]
    rows = await fetch(
        empty_postgres_dsn, "SELECT version, name, checksum FROM schema_migrations ORDER BY version"
    )
    assert [tuple(row) for row in rows] == [(s.version, s.name, s.checksum) for s in migrations]
    tables = await fetch(
        empty_postgres_dsn, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    )
    assert {"memories", "memory_events", "messages", "calls", "graph_outbox"} <= {
        row["tablename"] for row in tables
    }


async def test_repeating_changes_nothing(empty_postgres_dsn: str) -> None:
    await run(empty_postgres_dsn)
    before = await fetch(empty_postgres_dsn, "SELECT * FROM schema_migrations")
    assert await run(empty_postgres_dsn) == []
    assert await fetch(empty_postgres_dsn, "SELECT * FROM schema_migrations") == before


async def test_servers_that_start_together_migrate_once(empty_postgres_dsn: str) -> None:
    applied = await asyncio.gather(*(run(empty_postgres_dsn) for _ in range(8)))
    steps = [name for names in applied for name in names]
    assert sorted(steps) == sorted(step.name for step in load_migrations())


async def test_a_later_step_applies_to_an_existing_schema(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = Migration(9999, "later", "CREATE TABLE later (x integer)")
    monkeypatch.setattr(schema, "load_migrations", lambda: [*load_migrations(), later])
    assert await run(postgres_dsn) == ["later"]
    assert await run(postgres_dsn) == []


async def test_a_step_that_fails_leaves_nothing(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Migration(9999, "broken", "CREATE TABLE half_done (x integer); SELECT 1 / 0")
    monkeypatch.setattr(schema, "load_migrations", lambda: [*load_migrations(), broken])
    with pytest.raises(asyncpg.DivisionByZeroError):
        await run(postgres_dsn)
    [row] = await fetch(
        postgres_dsn,
        "SELECT to_regclass('half_done') AS made, max(version) AS version FROM schema_migrations",
    )
    assert (row["made"], row["version"]) == (None, load_migrations()[-1].version)


async def test_a_step_takes_effect_together_with_its_record(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unrecorded = Migration(
        9999,
        "unrecorded",
        "CREATE TABLE half_done (x integer);"
        "ALTER TABLE schema_migrations ADD CHECK (version < 9999)",
    )
    monkeypatch.setattr(schema, "load_migrations", lambda: [*load_migrations(), unrecorded])
    with pytest.raises(asyncpg.CheckViolationError):
        await run(postgres_dsn)
    [row] = await fetch(postgres_dsn, "SELECT to_regclass('half_done') AS made")
    assert row["made"] is None


async def test_a_step_that_was_changed_is_a_conflict(postgres_dsn: str) -> None:
    await execute(postgres_dsn, "UPDATE schema_migrations SET checksum = 'other' WHERE version = 1")
    with pytest.raises(SchemaConflict, match=r"migration 0001 .* another text"):
        await run(postgres_dsn)


async def test_a_conflict_applies_nothing(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *rest = load_migrations()
    changed = Migration(first.version, first.name, first.sql + "\n-- changed")
    later = Migration(9999, "later", "CREATE TABLE later (x integer)")
    monkeypatch.setattr(schema, "load_migrations", lambda: [changed, *rest, later])
    with pytest.raises(SchemaConflict):
        await run(postgres_dsn)
    [row] = await fetch(postgres_dsn, "SELECT to_regclass('later') AS made")
    assert row["made"] is None


async def test_steps_of_a_newer_build_are_left_alone(postgres_dsn: str) -> None:
    await execute(postgres_dsn, "INSERT INTO schema_migrations VALUES (9999, 'newer', 'x')")
    assert await run(postgres_dsn) == []


@pytest.mark.parametrize("database", ["there_is_no_such_database"])
async def test_a_missing_database_is_unavailable(postgres_server: str, database: str) -> None:
    with pytest.raises(StoreUnavailable):
        await run(with_database(postgres_server, database))


async def test_an_unreachable_server_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable):
        await run("postgresql://postgres@127.0.0.1:1/memoir")


async def test_every_table_says_what_it_is_for(postgres_dsn: str) -> None:
    query = """
    SELECT relname
    FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
      AND relname <> 'schema_migrations' AND obj_description(oid, 'pg_class') IS NULL
    """
    assert [row["relname"] for row in await fetch(postgres_dsn, query)] == []


async def test_the_keys_of_projects_begin_with_the_project(postgres_dsn: str) -> None:
    """So the tables can be distributed by project (docs/scale.md)."""
    keys = await fetch(
        postgres_dsn,
        """
        SELECT i.indexrelid::regclass::text AS name, i.indrelid::regclass::text AS table_name,
               (SELECT attname FROM pg_attribute
                WHERE attrelid = i.indrelid AND attnum = i.indkey[0]) AS first
        FROM pg_index AS i
        WHERE i.indisunique AND EXISTS (
            SELECT FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
            WHERE a.attrelid = i.indrelid AND a.attname = 'project_id' AND NOT a.attisdropped
              AND c.relnamespace = 'public'::regnamespace
        )
        """,
    )
    assert len(keys) > 10
    # A key is looked up before its project is known; a copy of that table can be on each node.
    others = {key["table_name"] for key in keys if key["first"] != "project_id"}
    assert others == {"api_keys"}


async def test_generated_columns_are_computed_without_a_search_path(
    empty_postgres_dsn: str,
) -> None:
    """So that a restore by pg_restore, which has none, can compute them."""
    await run(empty_postgres_dsn)
    [row] = await fetch(
        empty_postgres_dsn,
        """
        SELECT public.indexed_words('Meine Katzen', 'user', NULL, now()) @@ 'katz' AS found
        FROM set_config('search_path', '', false)
        """,
    )
    assert row["found"]
