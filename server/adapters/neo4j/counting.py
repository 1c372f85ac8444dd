"""How much the graph holds."""

from __future__ import annotations

from neo4j import AsyncManagedTransaction

from server.adapters.neo4j.parameters import given
from server.adapters.statements import load_statements
from server.domain.statistics import GraphCounts

_CYPHER = load_statements(__package__, "counting.cypher", comment="//")


async def count(tx: AsyncManagedTransaction, project_id: str) -> GraphCounts:
    """See the port."""
    return GraphCounts(
        await _number(tx, "entities", project_id), await _number(tx, "relations", project_id)
    )


async def _number(tx: AsyncManagedTransaction, name: str, project_id: str) -> int:
    result = await tx.run(_CYPHER[name], given({"project_id": project_id}))
    record = await result.single(strict=True)
    return int(record["number"])
