"""Undoing a wrong join of names, on both real stores."""

from __future__ import annotations

from datetime import timedelta

import pytest
from neo4j import AsyncDriver

from server.core.clock import Clock
from server.core.errors import InvalidRequest
from server.graph.explore.access import VisibleGraph
from server.graph.model import Entity, Relation
from server.graph.ports import GraphScope, RelationQuery
from server.graph.project.entity_joins import EntityJoins, JoinState
from server.memories.scope import Scope, ScopeKind
from server.storage.neo4j.graph import AbsentGraph, Neo4jGraph
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.pool import Database
from tests.support.builders import ALICE, PROJECT, call
from tests.support.graph_stores import GraphStores, open_stores

SPACE = "user:alice"
BOB = Entity("Bob", "person")
# What an add stores of "Robert lives in Oslo" if it takes Robert for the known Bob.
ROBERT_AS_BOB = Entity("Bob", "person", aliases=("Robert",))
OSLO, PARIS = Entity("Oslo", "place"), Entity("Paris", "place")


@pytest.fixture
async def stores(database: Database, neo4j_driver: AsyncDriver, graph: Neo4jGraph) -> GraphStores:
    return await open_stores(database, neo4j_driver, graph)


@pytest.fixture
def joins(database: Database) -> EntityJoins:
    return EntityJoins(PostgresMemoryStore(database, lambda: None), Clock())


async def remember_robert(stores: GraphStores, text: str, home: Entity) -> None:
    await stores.remember(text, Relation(BOB, "lives_in", home), entities=(ROBERT_AS_BOB,))


async def homes(driver: AsyncDriver) -> set[tuple[str, str, bool]]:
    """The homes in the graph, and whether they are current."""
    records, _, _ = await driver.execute_query(
        "MATCH (s)-[r:RELATES_TO {relation: 'lives_in'}]->(t) "
        "RETURN s.name, t.name, r.superseded_at IS NULL"
    )
    return {tuple(record.values()) for record in records}


async def test_a_split_name_is_an_entity_of_its_own_and_stays_one(
    stores: GraphStores, joins: EntityJoins, neo4j_driver: AsyncDriver
) -> None:
    await stores.remember("Bob lives in Paris", Relation(BOB, "lives_in", PARIS))
    await remember_robert(stores, "Robert lives in Oslo", OSLO)
    await stores.remember("Robert likes tea", entities=(Entity("Robert", "person"),))
    await stores.project()
    # Because of the wrong join, Bob has moved.
    assert await homes(neo4j_driver) == {("Bob", "Paris", False), ("Bob", "Oslo", True)}

    assert await joins.split(PROJECT, SPACE, "Bob", "robert") == 1
    await stores.project()
    apart = {("Bob", "Paris", True), ("Robert", "Oslo", True)}
    assert await homes(neo4j_driver) == apart
    assert not await stores.differences()

    await remember_robert(stores, "Robert moved back to Oslo", OSLO)
    await stores.project()
    assert await homes(neo4j_driver) == apart
    await neo4j_driver.execute_query("MATCH (n) DETACH DELETE n")
    await stores.rebuild()
    assert await homes(neo4j_driver) == apart
    assert not await stores.differences()


async def test_a_split_can_be_taken_back(
    stores: GraphStores, joins: EntityJoins, neo4j_driver: AsyncDriver
) -> None:
    await remember_robert(stores, "Robert lives in Oslo", OSLO)
    await stores.project()
    await joins.split(PROJECT, SPACE, "Bob", "Robert")
    await joins.split(PROJECT, SPACE, "Robert", "Bob")
    await stores.project()
    [split] = await joins.list(PROJECT)
    assert (split.space, split.name, split.alias) == (SPACE, "Bob", "Robert")
    assert split.state is JoinState.SPLIT

    await joins.rejoin(PROJECT, SPACE, "Bob", "Robert")
    await stores.project()
    [join] = await joins.list(PROJECT, SPACE)
    assert (join.state, join.memories) == (JoinState.JOINED, 1)
    assert await homes(neo4j_driver) == {("Bob", "Oslo", True)}
    assert not await stores.differences()
    with pytest.raises(InvalidRequest):
        await joins.rejoin(PROJECT, SPACE, "Bob", "Robert")


async def test_only_names_that_a_memory_of_the_space_joins_are_split(
    stores: GraphStores, joins: EntityJoins
) -> None:
    await remember_robert(stores, "Robert lives in Oslo", OSLO)
    await stores.project()
    for project, space, alias in (
        (PROJECT, SPACE, "Roberta"),
        (PROJECT, "user:carol", "Robert"),
        ("another", SPACE, "Robert"),
    ):
        with pytest.raises(InvalidRequest):
            await joins.split(project, space, "Bob", alias)
    assert await joins.list("another") == []
    assert [join.state for join in await joins.list(PROJECT)] == [JoinState.JOINED]


async def test_a_split_applies_to_later_instants_only(
    stores: GraphStores, joins: EntityJoins, database: Database
) -> None:
    await remember_robert(stores, "Robert lives in Oslo", OSLO)
    await stores.project()
    graph = VisibleGraph(AbsentGraph(), stores.outbox, stores.store, Clock())
    before = Clock().now()
    await joins.split(PROJECT, SPACE, "Bob", "Robert")
    for instant, name in ((before, "Bob"), (before + timedelta(days=1), "Robert")):
        reader = await graph.past(PROJECT, ALICE, instant)
        [relation] = await reader.list_relations(RelationQuery(GraphScope(PROJECT, ALICE), 10))
        assert relation.relation.source.name == name


async def test_splits_are_deleted_with_their_user(
    stores: GraphStores, joins: EntityJoins, database: Database
) -> None:
    await remember_robert(stores, "Robert lives in Oslo", OSLO)
    await stores.project()
    await joins.split(PROJECT, SPACE, "Bob", "Robert")
    await stores.store.erase_scope(call(scope=Scope()), ScopeKind.USER, "bob")
    assert await joins.list(PROJECT)
    await stores.store.erase_scope(call(scope=Scope()), ScopeKind.USER, "alice")
    await stores.project()
    assert await joins.list(PROJECT) == []
