"""The graph of a server without Neo4j."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Never

from server.core.errors import GraphUnavailable
from server.graph.model import EntityRef, MemorySubgraph
from server.graph.ports import EntityQuery, GraphScope, RelationQuery


class AbsentGraph:
    """Implements `server.graph.ports.Graph`: always unavailable, like a Neo4j that is down.

    Changes wait in the outbox until the server starts with a graph.
    """

    async def prepare(self) -> None:
        raise GraphUnavailable

    async def check(self) -> None:
        raise GraphUnavailable

    async def project(self, subgraphs: Sequence[MemorySubgraph]) -> None:
        del subgraphs
        raise GraphUnavailable

    async def list_relations(self, query: RelationQuery) -> Never:
        del query
        raise GraphUnavailable

    async def find_entities(self, within: GraphScope, name: str) -> Never:
        del within, name
        raise GraphUnavailable

    async def list_entities(self, query: EntityQuery) -> Never:
        del query
        raise GraphUnavailable

    async def explore(self, within: GraphScope, start: EntityRef, hops: int) -> Never:
        del within, start, hops
        raise GraphUnavailable

    async def count(self, project_id: str) -> Never:
        del project_id
        raise GraphUnavailable
