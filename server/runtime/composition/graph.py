"""Opens, updates and reads the graph."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from server.api.grpc.services.graph import GraphUseCases
from server.core.background import in_thread, running
from server.core.circuit_breaker import CircuitBreaker
from server.core.clock import Clock
from server.core.transient_errors import GraphUnavailable
from server.core.values import Neo4jAddress
from server.graph.explore.access import VisibleGraph
from server.graph.explore.explore_graph import FindPaths, GetEntity, ListEntities, ListRelations
from server.graph.explore.scoped_reader import ScopedGraphReader
from server.graph.ports import Graph, GraphReader
from server.graph.project.entity_joins import EntityJoins
from server.graph.project.maintenance import RebuildGraph, VerifyGraph
from server.graph.project.ports import Outbox
from server.graph.project.projector import GraphProjector
from server.memories.ports import MemoryStore
from server.runtime.settings import Neo4jSettings, Settings
from server.storage.neo4j.audit import Neo4jGraphAudit
from server.storage.neo4j.calls import open_driver
from server.storage.neo4j.graph import AbsentGraph, Neo4jGraph
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.outbox import PostgresOutbox
from server.storage.postgres.pool import PostgresOptions, open_database

_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class GraphMaintenance:
    """The use cases that work on the whole graph."""

    verify: VerifyGraph
    rebuild: RebuildGraph


@dataclass(frozen=True, slots=True)
class GraphAccess:
    """The graph, and the breaker that guards its reads."""

    graph: Graph
    breaker: CircuitBreaker


@asynccontextmanager
async def open_graph(
    address: Neo4jAddress | None, settings: Neo4jSettings
) -> AsyncIterator[GraphAccess]:
    """Opens the graph for the block; without an address it is always unavailable."""
    breaker = CircuitBreaker("neo4j")
    if address is None:
        yield GraphAccess(AbsentGraph(), breaker)
        return
    driver = open_driver(address)
    graph = Neo4jGraph(driver, breaker, timeout=settings.timeout)
    try:
        yield GraphAccess(graph, breaker)
    finally:
        await driver.close()


async def wait_for_graph(address: Neo4jAddress, settings: Neo4jSettings) -> None:
    """Waits until Neo4j answers."""
    async with open_graph(address, settings) as access:
        while True:
            with suppress(GraphUnavailable):
                await access.graph.check()
                return
            await asyncio.sleep(_POLL_SECONDS)


async def prepare_graph(address: Neo4jAddress, settings: Neo4jSettings) -> None:
    """Creates the graph's constraints and indexes.

    Raises:
        GraphUnavailable: Neo4j cannot be reached.
    """
    async with open_graph(address, settings) as access:
        await access.graph.prepare()


@asynccontextmanager
async def open_graph_maintenance(
    settings: Settings, dsn: str, address: Neo4jAddress
) -> AsyncIterator[GraphMaintenance]:
    """Opens the verification and the rebuild of a database's graph."""
    driver = open_driver(address)
    async with driver, open_database(dsn, settings.postgres) as database:
        clock = Clock()
        graph = Neo4jGraph(driver, timeout=settings.neo4j.timeout)
        outbox, audit = PostgresOutbox(database, clock), Neo4jGraphAudit(driver)
        projector = GraphProjector(outbox, graph)
        yield GraphMaintenance(
            VerifyGraph(outbox, audit), RebuildGraph(outbox, audit, graph, projector)
        )


_PROJECTOR_CONNECTIONS = 2
"""One for the work, and one to renew the claim meanwhile."""


@asynccontextmanager
async def projecting(
    settings: Settings, dsn: str, address: Neo4jAddress | None
) -> AsyncIterator[Callable[[], None]]:
    """Projects changes to the graph during the block; yields a function that wakes the projector.

    The projector has its own thread and connections (ADR 0074).
    """
    async with in_thread("projector", _open_projector(settings, dsn, address)) as (projector, loop):

        def wake() -> None:
            # Under load every add calls this, and an awake projector needs no switch of threads.
            if not projector.is_awake:
                loop.call_soon_threadsafe(projector.wake)

        yield wake


@asynccontextmanager
async def _open_projector(
    settings: Settings, dsn: str, address: Neo4jAddress | None
) -> AsyncIterator[GraphProjector]:
    options = settings.postgres.model_copy(update={"pool_size": _PROJECTOR_CONNECTIONS})
    async with (
        open_database(dsn, options) as database,
        open_graph(address, settings.neo4j) as access,
    ):
        projector = GraphProjector(PostgresOutbox(database, Clock()), access.graph)
        async with running("projector", projector.run()):
            yield projector


@asynccontextmanager
async def open_entity_joins(dsn: str, settings: PostgresOptions) -> AsyncIterator[EntityJoins]:
    """Opens the administration of entity names in a database."""
    async with open_database(dsn, settings) as database:
        yield EntityJoins(PostgresMemoryStore(database, lambda: None), Clock())


def compose_graph(
    graph: GraphReader, outbox: Outbox, store: MemoryStore, clock: Clock
) -> GraphUseCases:
    """Returns the use cases of GraphService."""
    visible = VisibleGraph(ScopedGraphReader(graph, store, clock), outbox, store, clock)
    return GraphUseCases(
        list_relations=ListRelations(visible),
        get_entity=GetEntity(visible),
        list_entities=ListEntities(visible),
        find_paths=FindPaths(visible),
    )
