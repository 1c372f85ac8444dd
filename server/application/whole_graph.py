"""Walking over both stores as a whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

from server.ports.graph_audit import GraphAudit
from server.ports.projection_source import ProjectionSource


async def projects_of(
    source: ProjectionSource, audit: GraphAudit, project_id: str | None
) -> list[str]:
    """The one project, or for None all that either store knows."""
    if project_id is not None:
        return [project_id]
    return sorted({*await source.projects(), *await audit.projects()})


async def unknown_memories(
    source: ProjectionSource, audit: GraphAudit, project_id: str, page_size: int
) -> AsyncIterator[list[UUID]]:
    """The memories that the graph knows and that are gone, page by page of the graph."""
    async for page in audit.memories(project_id, page_size):
        known = await source.subgraphs(project_id, page)
        yield [subgraph.memory_id for subgraph in known.subgraphs if not subgraph.exists]
