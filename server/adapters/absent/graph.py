"""The graph of a server without Neo4j."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Never

from server.domain.errors import GraphUnavailable
from server.domain.graph import EntityRef, MemorySubgraph
from server.ports.graph_reader import EntityQuery, RelationQuery, Within


class AbsentGraph:
    """Implements `server.ports.graph.Graph` by being unavailable, as a Neo4j that is down is.

    Changes wait in the outbox until the server starts with a graph.
    """

    async def prepare(self) -> None:
        """See the port."""
        raise GraphUnavailable

    async def check(self) -> None:
        """See the port."""
        raise GraphUnavailable

    async def project(self, subgraphs: Sequence[MemorySubgraph]) -> None:
        """See the port."""
        del subgraphs
        raise GraphUnavailable


class AbsentGraphReader:
    """Implements `server.ports.graph_reader.GraphReader` likewise."""

    async def list_relations(self, query: RelationQuery) -> Never:
        """See the port."""
        del query
        raise GraphUnavailable

    async def find_entities(self, within: Within, name: str) -> Never:
        """See the port."""
        del within, name
        raise GraphUnavailable

    async def list_entities(self, query: EntityQuery) -> Never:
        """See the port."""
        del query
        raise GraphUnavailable

    async def explore(self, within: Within, start: EntityRef, hops: int) -> Never:
        """See the port."""
        del within, start, hops
        raise GraphUnavailable

    async def count(self, project_id: str) -> Never:
        """See `server.ports.statistics.GraphCounter`."""
        del project_id
        raise GraphUnavailable

    async def recall(self, within: Within, names: Sequence[str]) -> Never:
        """See the port."""
        del within, names
        raise GraphUnavailable
