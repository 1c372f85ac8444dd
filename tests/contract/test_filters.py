"""Filters select the same memories in the store as in the domain."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from server.core.values import JsonObject
from server.memories.filters.parser import (
    MAX_CONTAINS,
    MAX_DEPTH,
    MAX_LISTED,
    MAX_NODES,
    parse_filter,
)
from server.memories.memory import ListOrder
from server.memories.ports import MemoryStore
from server.memories.queries import ListQuery, SearchQuery
from server.memories.scope import Scope
from server.storage.postgres.memory_store import PostgresMemoryStore
from tests.support.builders import PROJECT, memories_of, vector
from tests.support.filter_cases import BARE, CASES, FULL, named
from tests.support.filter_memories import keep
from tests.support.postgres import migrated_database, opened


@pytest_asyncio.fixture(scope="module")
async def store(postgres_server: str) -> AsyncIterator[MemoryStore]:
    """A store with the two memories of the cases, and the same in another project."""
    async with migrated_database(postgres_server) as dsn, opened(dsn, pool_size=1) as database:
        store = PostgresMemoryStore(database, on_commit=lambda: None)
        for memory in (FULL, BARE):
            await keep(store, memory)
        async with database.connection() as connection:
            await connection.execute(
                "UPDATE memories SET update_time = $1 WHERE memory_id = $2",
                FULL.update_time,
                FULL.id,
            )
        assert await store.get(PROJECT, FULL.id, None) == FULL
        yield store


@pytest.mark.parametrize(("value", "expected"), CASES, ids=str)
async def test_lists_and_searches_keep_to_filters(
    store: MemoryStore, value: JsonObject, expected: str
) -> None:
    filters = parse_filter(value)
    order = ListOrder.NEWEST_FIRST
    listed = await store.list(ListQuery(PROJECT, Scope(), 9, order, None, filters=filters))
    found = await store.search(
        SearchQuery(PROJECT, Scope(), vector(1, 0, 0), 9, None, filters=filters)
    )
    assert named(listed) == expected
    assert named(memories_of(found)) == expected


async def test_filters_narrow_the_scope_and_never_widen_it(store: MemoryStore) -> None:
    anything = parse_filter({"OR": [{"user_id": "*"}, {"run_id": "*"}]})
    order = ListOrder.NEWEST_FIRST
    for scope, expected in ((Scope(user_id="alice"), "full"), (Scope(user_id="bob"), "none")):
        query = ListQuery(PROJECT, scope, 9, order, None, filters=anything)
        assert named(await store.list(query)) == expected


async def test_a_filter_applies_before_the_limit(store: MemoryStore) -> None:
    older = parse_filter({"create_time": {"lt": "2026-11-20"}})
    order = ListOrder.NEWEST_FIRST
    assert named(await store.list(ListQuery(PROJECT, Scope(), 1, order, None, filters=older))) == (
        "bare"
    )
    query = SearchQuery(PROJECT, Scope(), vector(1, 0, 0), 1, None, filters=older)
    assert named(memories_of(await store.search(query))) == "bare"


def _deepest() -> JsonObject:
    value: JsonObject = {"user_id": "alice"}
    for _ in range((MAX_DEPTH - 1) // 2):
        value = {"NOT": [{"NOT": [value]}]}
    return value


_PLACES = ["metadata.a.b.c.d.e.f.g.h", "text", "id", "user_id", "categories", "metadata.color"]
_NOTHING_LIKE: list[JsonObject] = [
    {"in": [f"2001-01-{day:02}" for day in range(1, 32)]},
    {"icontains": "\U0001f600"},
]
_EVERYWHERE: list[JsonObject] = [
    {_PLACES[n % 6]: _NOTHING_LIKE[n < MAX_CONTAINS]} for n in range(MAX_NODES - 1)
]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (_deepest(), "full"),
        ({"OR": [{"text": {"icontains": "z" * 9000}}, {"user_id": "alice"}]}, "full"),
        ({"user_id": {"in": [f"user-{n}" for n in range(MAX_LISTED - 1)] + ["alice"]}}, "full"),
        ({"metadata.color": {"in": [*range(MAX_LISTED - 1), "Red"]}}, "full"),
        ({"create_time": {"in": ["2026-11-23"] * MAX_LISTED}}, "full"),
        (
            {
                "NOT": [
                    {_PLACES[n % 6]: _NOTHING_LIKE[n < MAX_CONTAINS]} for n in range(MAX_NODES - 1)
                ]
            },
            "full bare",
        ),
    ],
    ids=["deep", "long", "users", "metadata", "days", "wide"],
)
async def test_the_largest_filters_are_answered(
    store: MemoryStore, value: JsonObject, expected: str
) -> None:
    query = ListQuery(
        PROJECT, Scope(), 9, ListOrder.NEWEST_FIRST, None, filters=parse_filter(value)
    )
    assert named(await store.list(query)) == expected
