"""Keeping who relates to what; asking is `server.ports.graph_reader`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from server.domain.graph import MemorySubgraph


class Graph(Protocol):
    """The graph, a projection of the memories."""

    async def prepare(self) -> None:
        """Creates the constraints that the projection relies on; may be repeated.

        Raises:
            GraphUnavailable: the graph cannot be reached.
        """
        ...

    async def check(self) -> None:
        """Returns when the graph answers.

        Raises:
            GraphUnavailable: it does not.
        """
        ...

    async def project(self, subgraphs: Sequence[MemorySubgraph]) -> None:
        """Makes the graph hold exactly these subgraphs for these memories, in one transaction.

        An entity that nothing mentions any more goes. Repeating it changes nothing. A subgraph of
        an older version than the one that the graph holds is ignored.

        Raises:
            GraphUnavailable: the graph cannot be reached; nothing was changed, or everything.
            ValueError: a subgraph cannot be held as it is; nothing was changed.
        """
        ...
