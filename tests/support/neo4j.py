"""A real Neo4j for tests: one server a session, an empty database a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from neo4j import AsyncDriver

from server.core.values import Neo4jAddress
from server.embedded.directory import no_progress
from server.embedded.neo4j import EmbeddedNeo4j
from server.storage.neo4j.calls import open_driver
from server.storage.neo4j.graph import Neo4jGraph

NEO4J_LIB = Path(__file__).parents[2] / ".local" / "neo4j" / "5.18.0" / "lib"
_CLEANING_SECONDS = 30


def unstarted_neo4j(data_dir: Path) -> EmbeddedNeo4j:
    """Returns a Neo4j that is not started yet."""
    return EmbeddedNeo4j(data_dir, NEO4J_LIB, no_progress)


@pytest.fixture(scope="session")
async def neo4j_address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Neo4jAddress]:
    """The address of the session's Neo4j."""
    server = unstarted_neo4j(tmp_path_factory.mktemp("neo4j"))
    address = await server.start()
    yield address
    await server.stop()


@pytest.fixture(scope="session")
async def neo4j_driver(neo4j_address: Neo4jAddress) -> AsyncIterator[AsyncDriver]:
    """Connections to the session's Neo4j, whose schema is prepared."""
    async with open_driver(neo4j_address) as driver:
        await Neo4jGraph(driver, timeout=30.0).prepare()
        yield driver


@pytest.fixture
async def neo4j_graph(neo4j_driver: AsyncDriver) -> Neo4jGraph:
    """An empty graph."""
    async with asyncio.timeout(_CLEANING_SECONDS):
        await neo4j_driver.execute_query("MATCH (n) DETACH DELETE n", database_="neo4j")
    return Neo4jGraph(neo4j_driver, timeout=30.0)


@pytest.fixture
def graph(neo4j_graph: Neo4jGraph) -> Neo4jGraph:
    """An empty graph, which the suite of a port replaces by each of its adapters."""
    return neo4j_graph
