"""PostgreSQL selects the memories that the definition of a filter does, within the project."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.core.values import JsonObject
from server.memories.filters.parser import parse_filter
from server.memories.memory import ListOrder, Memory
from server.memories.queries import ListQuery
from server.memories.scope import Scope
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.pool import Database
from tests.support.filter_cases import FULL
from tests.support.filter_matching import matches
from tests.support.filter_memories import keep
from tests.support.filter_strategies import filters, memories

_projects = count()


@pytest.fixture
def store(database: Database) -> PostgresMemoryStore:
    return PostgresMemoryStore(database, on_commit=lambda: None)


@settings(
    max_examples=60,
    # All examples share a database; each has its own projects.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    stored=st.lists(memories(), min_size=4, max_size=6),
    conditions=st.lists(filters, min_size=10, max_size=20),
)
async def test_the_store_selects_what_the_definition_does(
    store: PostgresMemoryStore, stored: list[Memory], conditions: list[JsonObject]
) -> None:
    ours, theirs = f"ours-{next(_projects)}", f"theirs-{next(_projects)}"
    mine = [replace(memory, project_id=ours) for memory in stored]
    for memory in mine:
        await keep(store, memory)
        await keep(store, replace(memory, project_id=theirs))
    for value in conditions:
        condition = parse_filter(value)
        query = ListQuery(ours, Scope(), 100, ListOrder.OLDEST_FIRST, None, filters=condition)
        listed = await store.list(query)
        assert {memory.project_id for memory in listed} <= {ours}
        expected = {memory.id for memory in mine if matches(condition, memory)}
        assert {memory.id for memory in listed} == expected, value


async def test_the_last_possible_date_is_a_date_like_others(store: PostgresMemoryStore) -> None:
    last = replace(FULL, project_id="last-date", expiration_date=date.max)
    await keep(store, last)
    condition = parse_filter({"expiration_date": "9999-12-31"})
    query = ListQuery("last-date", Scope(), 9, ListOrder.OLDEST_FIRST, None, filters=condition)
    assert [memory.id for memory in await store.list(query)] == [last.id]
