"""Filters use indexes, so that their cost depends on the matches and not on the scope."""

from __future__ import annotations

import json
from array import array
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from server.core.values import JsonObject
from server.memories.filters.parser import parse_filter
from server.memories.memory import ListOrder
from server.memories.queries import ListQuery
from server.memories.scope import Scope
from server.storage.postgres.memory_store import list_statement
from server.storage.postgres.search_statements import rank_statement
from tests.support.builders import NOW, PROJECT
from tests.support.postgres import loaded
from tests.support.query_plans import search_of

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection

# 20,000 memories of one user, of whom each ticket has 20 and each half one kind, and of 2,000 users
# with ten each.
LOAD = f"""
INSERT INTO memories (
    project_id, memory_id, version, call_id, user_id, scope_key, digest, text, inferred, immutable,
    metadata, categories, entities, relations, evidence, event_time, create_time, update_time,
    embedding
)
SELECT '{PROJECT}', md5(n::text)::uuid, 1, md5((n / 5)::text)::uuid,
       CASE WHEN n % 2 = 0 THEN 'busy' ELSE 'user-' || n % 4000 END, '', sha256(n::text::bytea),
       'a memory', true, false,
       jsonb_build_object('ticket', n / 2 % 1000, 'kind', n / 2 % 2),
       '{{}}', '[]', '[]', '[]', time, time, time, '[0.1,0.2]'
FROM generate_series(1, 40000) AS n,
     LATERAL (SELECT '{NOW}'::timestamptz - n * interval '1 minute') AS t (time);
ANALYZE memories
"""


@pytest_asyncio.fixture(scope="module")
async def connection(postgres_server: str) -> AsyncIterator[Connection]:
    """A connection to a database with many memories, which no test changes."""
    async with loaded(postgres_server, LOAD) as connection:
        yield connection


def indexes(plan: dict[str, Any]) -> Iterator[str]:
    """The indexes that a plan reads."""
    if "Index Name" in plan:
        yield plan["Index Name"]
    for inner in plan.get("Plans", []):
        yield from indexes(inner)


async def plans(connection: Connection, scope: Scope, filters: JsonObject) -> list[set[str]]:
    """The indexes that a list reads: planned for these values, and for any."""
    query = ListQuery(
        PROJECT, scope, 51, ListOrder.NEWEST_FIRST, None, filters=parse_filter(filters)
    )
    return await indexes_of(connection, *list_statement(query))


async def indexes_of(connection: Connection, statement: str, *all_values: object) -> list[set[str]]:
    """The indexes that a statement reads: planned for these values, and for any."""
    custom = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {statement}", *all_values)
    await connection.execute(
        f"SET plan_cache_mode = force_generic_plan; PREPARE any_values AS {statement}"
    )
    nulls = ", ".join(["NULL"] * len(all_values))
    generic = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE any_values ({nulls})")
    await connection.execute("DEALLOCATE any_values; RESET plan_cache_mode")
    return [set(indexes(json.loads(plan)[0]["Plan"])) for plan in (custom, generic)]


@pytest.mark.parametrize(
    "filters",
    [
        {"metadata.ticket": 7},
        {"AND": [{"metadata.kind": 1}, {"metadata.ticket": {"eq": 7}}]},
        {"metadata.ticket": 7, "NOT": [{"text": {"contains": "x"}}]},
    ],
)
async def test_metadata_is_looked_up_within_a_large_scope(
    connection: Connection, filters: JsonObject
) -> None:
    for found in await plans(connection, Scope(user_id="busy"), filters):
        assert "memories_metadata" in found


async def test_a_search_looks_metadata_up_within_a_large_scope(connection: Connection) -> None:
    query = search_of(
        Scope(user_id="busy"),
        filters=parse_filter({"metadata.ticket": 7}),
        vector=array("f", [0.1, 0.2]),
        visible_on=None,
    )
    for found in await indexes_of(connection, *rank_statement(query)):
        assert "memories_metadata" in found


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({"user_id": "user-7"}, "memories_user"),
        ({"AND": [{"user_id": {"in": ["user-7", "user-9"]}}]}, "memories_user"),
        ({"user_id": "user-7", "metadata.kind": 1}, "memories_user"),
        ({"user_id": "busy", "metadata.ticket": 7}, "memories_metadata"),
        ({"id": "c4ca4238-a0b9-2382-0dcc-509a6f75849b"}, "memories_pkey"),
        ({"create_time": {"gt": "2026-11-23T11:00:00Z"}}, "memories_create_time"),
    ],
)
async def test_a_filter_alone_is_looked_up(
    connection: Connection, filters: JsonObject, index: str
) -> None:
    for found in await plans(connection, Scope(), filters):
        assert index in found
