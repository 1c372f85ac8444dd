"""Contract of the counting ports, on the real databases."""

from __future__ import annotations

from datetime import date, timedelta

from server.memories.scope import Scope
from server.projects.project import ChangeCounts, ContentCounts, GraphCounts
from server.storage.neo4j.graph import Neo4jGraph
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.pool import Database
from server.storage.postgres.projects import PostgresProjectStore
from tests.support.builders import NOW, PROJECT, adding, addition, call, change_set
from tests.support.subgraphs import PROJECT as GRAPH_PROJECT
from tests.support.subgraphs import stating

TODAY = NOW.date()


def store_on(database: Database) -> PostgresMemoryStore:
    return PostgresMemoryStore(database, on_commit=lambda: None)


async def test_a_project_without_anything_holds_nothing(database: Database) -> None:
    assert await PostgresProjectStore(database).count_content("nobody", TODAY) == ContentCounts()


async def test_memories_messages_and_scopes_are_counted(database: Database) -> None:
    store, statistics = store_on(database), PostgresProjectStore(database)
    await store.commit(adding("Alice likes tea", "Alice likes jam"))
    await store.commit(adding("Bob likes tea", scope=Scope(user_id="bob")))
    await store.commit(adding("Of others", project_id="other"))
    assert await statistics.count_content(PROJECT, TODAY) == ContentCounts(3, 3, 2)


async def test_expired_memories_are_not_counted(database: Database) -> None:
    store, new_call = store_on(database), call()
    passing = addition(new_call, "It rains", expiration_date=date(2020, 1, 1))
    await store.commit(change_set(new_call, [], [passing]))
    await store.commit(adding("It is dry"))
    held = await PostgresProjectStore(database).count_content(PROJECT, TODAY)
    assert held.memories == 1


async def test_changes_are_counted_by_their_time(database: Database) -> None:
    await store_on(database).commit(adding("Alice likes tea", "Alice likes jam"))
    statistics = PostgresProjectStore(database)
    before, after = NOW - timedelta(minutes=1), NOW + timedelta(minutes=1)
    assert await statistics.count_changes(PROJECT, before, after) == (
        ChangeCounts(2),
        ChangeCounts(),
    )
    assert await statistics.count_changes(PROJECT, before, before) == (
        ChangeCounts(2),
        ChangeCounts(2),
    )
    assert await statistics.count_changes("other", before, before) == (
        ChangeCounts(),
        ChangeCounts(),
    )


async def test_the_graph_counts_one_project(graph: Neo4jGraph) -> None:
    await graph.project([stating(1, ("Alice", "works_at", "Acme"), ("Alice", "likes", "Tea"))])
    assert await graph.count(GRAPH_PROJECT) == GraphCounts(entities=3, relations=2)
    assert await graph.count("other") == GraphCounts()
