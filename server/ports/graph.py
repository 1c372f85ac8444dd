"""Keeping and asking who relates to what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from server.domain.graph import MemorySubgraph, StatedRelation
from server.domain.pages import RelationCursor
from server.domain.scope import Scope


@dataclass(frozen=True, slots=True)
class RelationQuery:
    """Which relations to read: of one project and scope, newest first, at most `limit`."""

    project_id: str
    scope: Scope
    limit: int
    entity: str | None = None
    relation: str | None = None
    after: RelationCursor | None = None


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

    async def list_relations(self, query: RelationQuery) -> list[StatedRelation]:
        """Relations of a scope: newest event first, then by memory id, source, relation, target.

        Raises:
            GraphUnavailable: the graph cannot be reached.
        """
        ...
