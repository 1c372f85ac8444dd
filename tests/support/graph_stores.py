"""Both stores, the projector between them, and the maintenance of the graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

from neo4j import AsyncDriver

from server.core.clock import Clock
from server.graph.model import DifferenceKind, Entity, Relation
from server.graph.project.maintenance import RebuildGraph, VerifyGraph
from server.graph.project.projector import GraphProjector, ProjectorOptions
from server.projects.administration import Administration
from server.storage.neo4j.audit import Neo4jGraphAudit
from server.storage.neo4j.graph import Neo4jGraph
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.outbox import PostgresOutbox
from server.storage.postgres.pool import Database
from server.storage.postgres.projects import PostgresProjectStore
from tests.support.builders import NOW, PROJECT, NewMemory, addition, call, change_set


@dataclass(frozen=True)
class GraphStores:
    """Both stores, and the use cases that keep the graph."""

    store: PostgresMemoryStore
    outbox: PostgresOutbox
    projector: GraphProjector
    verify: VerifyGraph
    rebuild: RebuildGraph
    times: Iterator[datetime]

    async def remember(
        self, text: str, *relations: Relation, entities: tuple[Entity, ...] = ()
    ) -> NewMemory:
        """Adds a memory with these relations and entities."""
        new_call = call(time=next(self.times))
        ends = [end for relation in relations for end in (relation.source, relation.target)]
        named = {entity.key: entity for entity in (*ends, *entities)}
        item = addition(new_call, text, entities=[*named.values()], relations=relations)
        await self.store.commit(change_set(new_call, [], [item]))
        return item

    async def project(self) -> None:
        """Empties the outbox."""
        while await self.projector.project_once():
            pass

    async def differences(self) -> Counter[DifferenceKind]:
        """Returns how the graph differs from PostgreSQL."""
        return +(await self.verify()).differences


async def open_stores(database: Database, driver: AsyncDriver, graph: Neo4jGraph) -> GraphStores:
    """Returns the stores, with a project."""
    clock = Clock()
    await Administration(PostgresProjectStore(database), clock).create_project(PROJECT, "default")
    outbox, audit = PostgresOutbox(database, clock), Neo4jGraphAudit(driver)
    options = ProjectorOptions(poll_interval=timedelta(milliseconds=20))
    projector = GraphProjector(outbox, graph, options)
    return GraphStores(
        PostgresMemoryStore(database, on_commit=lambda: None),
        outbox,
        projector,
        VerifyGraph(outbox, audit),
        RebuildGraph(outbox, audit, graph, projector),
        (NOW + timedelta(minutes=minute) for minute in count()),
    )
