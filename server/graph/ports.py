"""The port that writes, reads and audits the graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, TypeAlias
from uuid import UUID

from server.core.values import Page
from server.graph.model import (
    DifferenceKind,
    EntityCursor,
    EntityRef,
    KnownEntity,
    MemorySubgraph,
    RelationCursor,
    StatedRelation,
)
from server.memories.scope import Scope
from server.projects.project import GraphCounts


@dataclass(frozen=True, slots=True)
class GraphScope:
    """The limits of a read of the graph: one project, and the memories of a scope.

    `holding_at` excludes relations that were superseded by then; None includes all.
    """

    project_id: str
    scope: Scope
    holding_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RelationQuery:
    """The relations to read: newest first, at most `limit`, after `after`.

    `entity` is the name or an alias of one end.
    """

    within: GraphScope
    limit: int
    entity: str | None = None
    relation: str | None = None
    after: RelationCursor | None = None


NEWEST_MEMORIES: Final = 10
"""How many memories are returned with an entity, to check whether any of them still exists."""


@dataclass(frozen=True, slots=True)
class FoundEntity:
    """An entity, and the newest memories of the scope that mention it, newest first."""

    known: KnownEntity
    memory_ids: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class EntityQuery:
    """The entities to list: at most `limit`, after `after`; without `words`, all of the scope."""

    within: GraphScope
    limit: int
    words: Sequence[str] = ()
    after: EntityCursor | None = None


EntityPage: TypeAlias = Page[FoundEntity, EntityCursor]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The relations around an entity, and the entities at their ends, by key.

    `truncated` is whether there were more.
    """

    entities: Mapping[str, KnownEntity]
    relations: Sequence[StatedRelation]
    truncated: bool


class GraphReader(Protocol):
    """Reads the graph, which can be behind the memories: check its results against the store.

    Every method works within one project, is bounded in time and size, and raises GraphUnavailable
    if the graph cannot be reached; at once, if this is already known.
    """

    async def list_relations(self, query: RelationQuery) -> list[StatedRelation]:
        """Returns a scope's relations, newest first, then by memory id, source, kind and target."""
        ...

    async def find_entities(self, within: GraphScope, name: str) -> list[FoundEntity]:
        """Returns the entities with this name or alias that memories of the scope mention.

        One for each graph space: the scope's own space first, the others by their newest memory.
        """
        ...

    async def list_entities(self, query: EntityQuery) -> EntityPage:
        """Returns a page of entities that memories of the scope mention.

        They are ordered by space and key, or with words by the best match. A page can be short even
        if there is a next page.
        """
        ...

    async def explore(self, within: GraphScope, start: EntityRef, hops: int) -> Surroundings:
        """Returns the entity and everything within `hops` relations of it, nearest first."""
        ...


class Graph(GraphReader, Protocol):
    """The graph, a projection of the memories."""

    async def prepare(self) -> None:
        """Creates the constraints that the projection needs, and warms up. Can be repeated.

        Raises:
            GraphUnavailable: the graph cannot be reached.
        """
        ...

    async def rehearse(self) -> None:
        """Makes later projections faster by projecting invented memories. Leaves nothing.

        If it is interrupted, something may be left of a project without a name, until it is
        repeated.

        Raises:
            GraphUnavailable: the graph cannot be reached.
        """
        ...

    async def check(self) -> None:
        """Checks that the graph responds.

        Raises:
            GraphUnavailable: the graph does not respond.
        """
        ...

    async def project(self, subgraphs: Sequence[MemorySubgraph]) -> None:
        """Makes the graph hold exactly these subgraphs for these memories, in one transaction.

        Entities that no memory mentions any more are removed. Repeating the call changes nothing. A
        subgraph with an older version than the one in the graph is ignored.

        Raises:
            GraphUnavailable: the graph cannot be reached; everything was changed or nothing.
            ValueError: a subgraph cannot be stored; nothing was changed.
        """
        ...

    async def count(self, project_id: str) -> GraphCounts:
        """Returns the numbers of entities and relations in a project.

        Raises:
            GraphUnavailable: the graph cannot be reached.
        """
        ...


class GraphAudit(Protocol):
    """Audits the whole graph, page by page.

    Every method raises GraphUnavailable if the graph cannot be reached.
    """

    async def projects(self) -> list[str]:
        """Returns the projects that have anything in the graph."""
        ...

    async def compare(
        self, subgraphs: Sequence[MemorySubgraph]
    ) -> Mapping[UUID, Counter[DifferenceKind]]:
        """Returns how the graph differs from these subgraphs of a project, by differing memory."""
        ...

    async def rewind(self, subgraphs: Sequence[MemorySubgraph]) -> None:
        """Allows these states to be projected even if the graph holds later versions.

        It can hold later versions if PostgreSQL was restored from a backup.
        """
        ...

    def memories(self, project_id: str, page_size: int) -> AsyncIterator[list[UUID]]:
        """Yields the memories in the graph, including those that only a relation names."""
        ...

    def flaws(
        self, project_id: str, page_size: int, *, repair: bool
    ) -> AsyncIterator[Counter[DifferenceKind]]:
        """Yields inconsistencies within the graph, page by page, and repairs them with `repair`.

        They concern everything derived from mentions and relations: the names of entities, entities
        that no memory mentions, and the supersession of relations.
        """
        ...
