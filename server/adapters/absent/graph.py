"""The graph of a server without Neo4j."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Never

from server.domain.errors import GraphUnavailable
from server.domain.graph import MemorySubgraph
from server.ports.graph import RelationQuery


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

    async def list_relations(self, query: RelationQuery) -> Never:
        """See the port."""
        del query
        raise GraphUnavailable
