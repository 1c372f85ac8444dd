"""Verifying and rebuilding the graph, on both real stores."""

from __future__ import annotations

from collections import Counter

import pytest
from neo4j import AsyncDriver

from server.graph.model import DifferenceKind, Entity, Relation
from server.memories.changes import Deletion
from server.storage.neo4j.graph import Neo4jGraph
from server.storage.postgres.pool import Database
from tests.support.builders import PROJECT, NewMemory, call, change_set
from tests.support.graph_stores import GraphStores, open_stores

ALICE, BOB = Entity("Alice", "person"), Entity("Bob", "person")
ROBERT = Entity("Robert Smith", "person", aliases=("Bob",))
OSLO, PARIS = Entity("Oslo", "place"), Entity("Paris", "place")


@pytest.fixture
async def stores(database: Database, neo4j_driver: AsyncDriver, graph: Neo4jGraph) -> GraphStores:
    return await open_stores(database, neo4j_driver, graph)


async def fill(stores: GraphStores) -> list[NewMemory]:
    """Memories with an alias and with a relation that supersedes another."""
    filled = [
        await stores.remember("Alice lives in Oslo", Relation(ALICE, "lives_in", OSLO)),
        await stores.remember("Alice lives in Paris", Relation(ALICE, "lives_in", PARIS)),
        await stores.remember("Alice knows Bob", Relation(ALICE, "knows", BOB)),
        await stores.remember("Robert Smith is called Bob", entities=(ROBERT,)),
    ]
    await stores.project()
    return filled


async def test_a_projected_graph_is_equal(stores: GraphStores) -> None:
    await fill(stores)
    report = await stores.verify()
    assert (report.memories, report.pending, report.is_equal) == (4, 0, True)


async def test_joined_names_are_one_entity_until_the_memory_that_joins_them_goes(
    stores: GraphStores, neo4j_driver: AsyncDriver
) -> None:
    *_, stating = await fill(stores)
    query = "MATCH (e:Entity) WHERE e.key IN ['bob', 'robert smith'] RETURN e.name, e.aliases"
    records, _, _ = await neo4j_driver.execute_query(query)
    assert [tuple(r.values()) for r in records] == [("Robert Smith", ["Bob"])]
    deletion = Deletion(stating.memory.id, 1)
    await stores.store.commit(change_set(call(), deleted=[deletion]))
    await stores.project()
    records, _, _ = await neo4j_driver.execute_query(query)
    assert [tuple(r.values()) for r in records] == [("Bob", [])]
    assert await stores.differences() == Counter()


async def test_pending_changes_are_not_differences(stores: GraphStores) -> None:
    await fill(stores)
    await stores.remember("Bob likes tea", entities=(BOB,))
    report = await stores.verify()
    assert (report.pending, report.is_equal) == (1, True)


DOUBLE = (
    "MATCH (s)-[r:RELATES_TO {memory_id: $id}]->(t) CREATE (s)-[x:RELATES_TO]->(t) "
    "SET x = properties(r), x.relation = 'hates', x.slot = null"
)
INTRUDER = (
    "CREATE (:Memory {project_id: 'project-1', version: 1, user_id: 'alice', text: $id, "
    "memory_id: '00000000-0000-0000-0000-000000000001'})"
)
DAMAGES = [
    (
        "MATCH (m:Memory {memory_id: $id}) DETACH DELETE m",
        {
            DifferenceKind.MEMORY_MISSING: 1,
            DifferenceKind.MENTION_MISSING: 2,
            DifferenceKind.RELATION_OF_NO_MEMORY: 1,
            DifferenceKind.ENTITY_MISNAMED: 1,
            DifferenceKind.ENTITY_UNMENTIONED: 1,
        },
    ),
    (
        "MATCH (:Memory {memory_id: $id})-[r:MENTIONS]->(:Entity {key: 'oslo'}) DELETE r",
        {DifferenceKind.MENTION_MISSING: 1, DifferenceKind.ENTITY_UNMENTIONED: 1},
    ),
    (
        "MATCH ()-[r:RELATES_TO {memory_id: $id}]->() DELETE r",
        {DifferenceKind.RELATION_MISSING: 1},
    ),
    (
        "MATCH ()-[r:RELATES_TO {memory_id: $id}]->() SET r.superseded_at = null",
        {DifferenceKind.RELATION_ENDS_WRONGLY: 1},
    ),
    (
        "MATCH (e:Entity {key: 'oslo'}) SET e.name = 'Bergen'",
        {DifferenceKind.ENTITY_MISNAMED: 1},
    ),
    ("MATCH (m:Memory {memory_id: $id}) SET m.version = 7", {DifferenceKind.MEMORY_DIFFERS: 1}),
    (
        DOUBLE,
        {DifferenceKind.RELATION_UNEXPECTED: 1},
    ),
    (
        INTRUDER,
        {DifferenceKind.MEMORY_UNEXPECTED: 1},
    ),
    (
        "CREATE (:Entity {project_id: 'project-1', space: 'user:alice', key: 'x', text: $id})",
        {DifferenceKind.ENTITY_UNMENTIONED: 1},
    ),
]


@pytest.mark.parametrize(("damage", "found"), DAMAGES)
async def test_damage_is_found_and_a_rebuild_mends_it(
    stores: GraphStores,
    neo4j_driver: AsyncDriver,
    damage: str,
    found: dict[DifferenceKind, int],
) -> None:
    first, *_ = await fill(stores)
    await neo4j_driver.execute_query(damage, id=str(first.memory.id))
    assert await stores.differences() == found
    await stores.rebuild()
    assert await stores.differences() == Counter()


async def test_an_emptied_graph_is_rebuilt(stores: GraphStores, neo4j_driver: AsyncDriver) -> None:
    await fill(stores)
    await neo4j_driver.execute_query("MATCH (n) DETACH DELETE n")
    seen: list[tuple[int, int]] = []
    rebuilt = await stores.rebuild(PROJECT, lambda done, total: seen.append((done, total)))
    assert (rebuilt.memories, rebuilt.unknown, rebuilt.given_up) == (4, 0, 0)
    assert seen[-1] == (4, 4)
    assert await stores.differences() == Counter()


async def test_a_project_that_postgresql_does_not_know_is_dropped(
    stores: GraphStores, neo4j_driver: AsyncDriver
) -> None:
    await neo4j_driver.execute_query(
        "CREATE (:Memory {project_id: 'gone', version: 1, user_id: 'x', "
        "memory_id: '00000000-0000-0000-0000-000000000001'})"
    )
    assert await stores.differences() == {DifferenceKind.MEMORY_UNEXPECTED: 1}
    await stores.rebuild()
    assert await stores.differences() == Counter()
