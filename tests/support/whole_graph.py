"""The whole graph of a server, compared with its memories and read directly."""

from __future__ import annotations

import pytest_asyncio
from neo4j import AsyncDriver

from server.core.values import Neo4jAddress
from server.graph.project.maintenance import GraphReport
from server.runtime.composition.graph import open_graph_maintenance
from server.runtime.settings import Settings
from tests.support.outbox import outbox_empties
from tests.support.server import Home

CONVERGE_SECONDS = 60.0

_DOUBLES = (
    (
        "MATCH (e:Entity) WITH e.project_id AS p, e.space AS s, e.key AS k, count(*) AS times "
        "WHERE times > 1 RETURN [p, s, k] AS found"
    ),
    (
        "MATCH (m:Memory)-[r:MENTIONS]->(e) WITH m, e, count(r) AS times "
        "WHERE times > 1 RETURN [m.memory_id, e.key] AS found"
    ),
    (
        "MATCH (s)-[r:RELATES_TO]->(t) WITH s, t, r.memory_id AS m, r.relation AS kind, "
        "count(r) AS n WHERE n > 1 RETURN [m, s.key, kind, t.key] AS found"
    ),
)


async def settled(home: Home, project_id: str | None = None) -> GraphReport:
    """Waits for an empty outbox and returns how the graph differs from the memories."""
    await outbox_empties(home.postgres_dsn, CONVERGE_SECONDS)
    address = Neo4jAddress(
        *(home.environment[f"MEMOIR_NEO4J_{name}"] for name in ("URI", "USER", "PASSWORD"))
    )
    async with open_graph_maintenance(Settings(), home.postgres_dsn, address) as maintenance:
        return await maintenance.verify(project_id)


@pytest_asyncio.fixture
async def idle(shared_home: Home) -> None:
    """Waits until the shared server projects nothing more into the shared Neo4j."""
    await outbox_empties(shared_home.postgres_dsn, CONVERGE_SECONDS)


async def doubles(driver: AsyncDriver) -> list[list[str]]:
    """Returns the entities, mentions and relations that are in the graph more than once."""
    found: list[list[str]] = []
    for query in _DOUBLES:
        records, _, _ = await driver.execute_query(query, database_="neo4j")
        found += [record["found"] for record in records]
    return found
