"""Verifying and rebuilding the graph, on both real stores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

import pytest
from neo4j import AsyncDriver

from server.adapters.neo4j.audit import Neo4jGraphAudit
from server.adapters.neo4j.graph import Neo4jGraph
from server.adapters.postgres.memory_store import PostgresMemoryStore
from server.adapters.postgres.outbox import PostgresOutbox
from server.adapters.postgres.pool import Database
from server.adapters.postgres.project_store import PostgresProjectStore
from server.adapters.postgres.projection_source import PostgresProjectionSource
from server.adapters.system.clock import SystemClock
from server.application.administration import Administration
from server.application.project_graph import GraphProjector, ProjectorOptions
from server.application.rebuild_graph import RebuildGraph
from server.application.verify_graph import VerifyGraph
from server.domain.graph import Entity, Relation
from server.domain.graph_differences import DifferenceKind
from server.ports.memory_store import ChangeSet, EmbeddedMemory, Removal
from tests.support.builders import NOW, PROJECT, addition, call

ALICE, BOB = Entity("Alice", "person"), Entity("Bob", "person")
ROBERT = Entity("Robert Smith", "person", aliases=("Bob",))
OSLO, PARIS = Entity("Oslo", "place"), Entity("Paris", "place")


@dataclass(frozen=True)
class Stores:
    """Both stores, and what is done to the graph."""

    store: PostgresMemoryStore
    outbox: PostgresOutbox
    projector: GraphProjector
    verify: VerifyGraph
    rebuild: RebuildGraph
    times: Iterator[datetime]

    async def remember(
        self, text: str, *relations: Relation, entities: tuple[Entity, ...] = ()
    ) -> EmbeddedMemory:
        """Adds a memory that states these."""
        of = call(time=next(self.times))
        ends = [end for relation in relations for end in (relation.source, relation.target)]
        item = addition(of, text, entities=[*entities, *ends], relations=relations)
        await self.store.commit(ChangeSet(of, [], [item]))
        return item

    async def project(self) -> None:
        """Empties the outbox."""
        while await self.projector.project_once():
            pass

    async def differences(self) -> Counter[DifferenceKind]:
        """What differs."""
        return +(await self.verify()).differences


@pytest.fixture
async def stores(database: Database, neo4j_driver: AsyncDriver, graph: Neo4jGraph) -> Stores:
    clock = SystemClock()
    await Administration(PostgresProjectStore(database), clock).create_project(PROJECT, "default")
    outbox, audit = PostgresOutbox(database, clock), Neo4jGraphAudit(neo4j_driver)
    source = PostgresProjectionSource(database, clock)
    options = ProjectorOptions(poll_interval=timedelta(milliseconds=20))
    projector = GraphProjector(outbox, graph, options)
    return Stores(
        PostgresMemoryStore(database, on_commit=lambda: None),
        outbox,
        projector,
        VerifyGraph(source, audit),
        RebuildGraph(source, audit, graph, outbox, projector),
        (NOW + timedelta(minutes=minute) for minute in count()),
    )


async def fill(stores: Stores) -> list[EmbeddedMemory]:
    """Memories with an alias and with a relation that supersedes another."""
    filled = [
        await stores.remember("Alice lives in Oslo", Relation(ALICE, "lives_in", OSLO)),
        await stores.remember("Alice lives in Paris", Relation(ALICE, "lives_in", PARIS)),
        await stores.remember("Alice knows Bob", Relation(ALICE, "knows", BOB)),
        await stores.remember("Robert Smith is called Bob", entities=(ROBERT,)),
    ]
    await stores.project()
    return filled


async def test_a_projected_graph_is_equal(stores: Stores) -> None:
    await fill(stores)
    report = await stores.verify()
    assert (report.memories, report.pending, report.equal) == (4, 0, True)


async def test_joined_names_are_one_entity_until_the_memory_that_joins_them_goes(
    stores: Stores, neo4j_driver: AsyncDriver
) -> None:
    *_, lesson = await fill(stores)
    query = "MATCH (e:Entity) WHERE e.key IN ['bob', 'robert smith'] RETURN e.name, e.aliases"
    records, _, _ = await neo4j_driver.execute_query(query)
    assert [tuple(r.values()) for r in records] == [("Robert Smith", ["Bob"])]
    removal = Removal(0, lesson.memory.id, 1)
    await stores.store.commit(ChangeSet(call(), removed=[removal]))
    await stores.project()
    records, _, _ = await neo4j_driver.execute_query(query)
    assert [tuple(r.values()) for r in records] == [("Bob", [])]
    assert await stores.differences() == Counter()


async def test_what_is_on_its_way_is_no_difference(stores: Stores) -> None:
    await fill(stores)
    await stores.remember("Bob likes tea", entities=(BOB,))
    report = await stores.verify()
    assert (report.pending, report.equal) == (1, True)


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
    stores: Stores,
    neo4j_driver: AsyncDriver,
    damage: str,
    found: dict[DifferenceKind, int],
) -> None:
    first, *_ = await fill(stores)
    await neo4j_driver.execute_query(damage, id=str(first.memory.id))
    assert await stores.differences() == found
    await stores.rebuild()
    assert await stores.differences() == Counter()


async def test_an_emptied_graph_is_rebuilt(stores: Stores, neo4j_driver: AsyncDriver) -> None:
    await fill(stores)
    await neo4j_driver.execute_query("MATCH (n) DETACH DELETE n")
    seen: list[tuple[int, int]] = []
    rebuilt = await stores.rebuild(PROJECT, lambda done, total: seen.append((done, total)))
    assert (rebuilt.memories, rebuilt.unknown, rebuilt.given_up) == (4, 0, 0)
    assert seen[-1] == (4, 4)
    assert await stores.differences() == Counter()


async def test_a_project_that_postgresql_does_not_know_is_dropped(
    stores: Stores, neo4j_driver: AsyncDriver
) -> None:
    await neo4j_driver.execute_query(
        "CREATE (:Memory {project_id: 'gone', version: 1, user_id: 'x', "
        "memory_id: '00000000-0000-0000-0000-000000000001'})"
    )
    assert await stores.differences() == {DifferenceKind.MEMORY_UNEXPECTED: 1}
    await stores.rebuild()
    assert await stores.differences() == Counter()
