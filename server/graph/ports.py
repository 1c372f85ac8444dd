"""Keeping who relates to what, asking for it, comparing it with the memories, splitting names."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from server.core.pages import EntityCursor, RelationCursor
from server.graph.entities.aliases import Split
from server.graph.model import (
    DifferenceKind,
    EntityRef,
    KnownEntity,
    MemorySubgraph,
    StatedRelation,
)
from server.memories.scope import Scope
from server.memories.search.graph_clues import Recollection


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


@dataclass(frozen=True, slots=True)
class GraphScope:
    """What every read of the graph keeps to: one project, and the memories of a scope.

    `holding_at` leaves out the relations that were superseded by then; None keeps them all.
    """

    project_id: str
    scope: Scope
    holding_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RelationQuery:
    """Which relations to read: of one project and scope, newest first, at most `limit`.

    `entity` is the name or an alias of one end. `holding_at` leaves out the relations that were
    superseded by then; None keeps them all.
    """

    project_id: str
    scope: Scope
    limit: int
    entity: str | None = None
    relation: str | None = None
    after: RelationCursor | None = None
    holding_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FoundEntity:
    """An entity, and the newest memories of the scope that mention it, newest first."""

    known: KnownEntity
    memory_ids: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class EntityQuery:
    """Which entities to list: at most `limit`, after `after`. Without `words`, all of the scope."""

    within: GraphScope
    limit: int
    words: Sequence[str] = ()
    after: EntityCursor | None = None


@dataclass(frozen=True, slots=True)
class EntityPage:
    """A page of entities, and where the next one begins."""

    found: Sequence[FoundEntity]
    next: EntityCursor | None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The relations around an entity, and the entities that they touch, by key.

    `truncated` says that there were more than are given.
    """

    entities: Mapping[str, KnownEntity]
    relations: Sequence[StatedRelation]
    truncated: bool


class GraphReader(Protocol):
    """The graph as it is read. It can be behind the memories: what it tells must be checked there.

    Every method works within one project, is bounded in time and size, and raises GraphUnavailable
    where the graph cannot be reached, at once where that has just been found out.
    """

    async def list_relations(self, query: RelationQuery) -> list[StatedRelation]:
        """Relations of a scope: newest event first, then by memory id, source, relation, target."""
        ...

    async def find_entities(self, within: GraphScope, name: str) -> list[FoundEntity]:
        """The entities of this name or alias that memories of the scope mention.

        One for each graph space: that of the scope's own space first, then by their newest memory.
        """
        ...

    async def list_entities(self, query: EntityQuery) -> EntityPage:
        """A page of entities that memories of the scope mention.

        In the order of spaces and keys, or with words the best match first. A page can be short and
        still have a next one.
        """
        ...

    async def explore(self, within: GraphScope, start: EntityRef, hops: int) -> Surroundings:
        """The entity and what lies within `hops` relations of it, the nearest first."""
        ...

    async def recall(self, within: GraphScope, names: Sequence[str]) -> Recollection:
        """What the entities of these keys or aliases lead to within two relations."""
        ...


class GraphAudit(Protocol):
    """A look at the whole graph, page by page.

    Every method raises GraphUnavailable where the graph cannot be reached.
    """

    async def projects(self) -> list[str]:
        """The projects of which the graph holds anything."""
        ...

    async def compare(
        self, subgraphs: Sequence[MemorySubgraph]
    ) -> Mapping[UUID, Counter[DifferenceKind]]:
        """How the graph differs from these subgraphs of one project, by memory; equal ones not."""
        ...

    async def rewind(self, subgraphs: Sequence[MemorySubgraph]) -> None:
        """Lets these states be projected although the graph knows later versions of the memories.

        It does where PostgreSQL was restored from a backup.
        """
        ...

    def memories(self, project_id: str, page_size: int) -> AsyncIterator[list[UUID]]:
        """The memories that the graph knows, and those that only a relation names."""
        ...

    def flaws(
        self, project_id: str, page_size: int, *, mend: bool
    ) -> AsyncIterator[Counter[DifferenceKind]]:
        """What is wrong within the graph, page by page; with `mend` it is put right.

        That is what follows from its mentions and relations: the names of entities, entities that
        nothing mentions, and until when relations hold.
        """
        ...


@dataclass(frozen=True, slots=True)
class TaughtName:
    """So many memories of a graph space teach that `alias` is another name of `name`."""

    space: str
    name: str
    alias: str
    memories: int


class EntitySplits(Protocol):
    """What memories teach about names, and what an operator has said against it.

    Every method raises StoreUnavailable where PostgreSQL cannot be reached.
    """

    async def taught(self, project_id: str, space: str | None = None) -> Sequence[TaughtName]:
        """What the memories of one graph space or of all teach, splits apart."""
        ...

    async def splits(
        self, project_id: str, spaces: Sequence[str] | None, at: datetime
    ) -> Sequence[Split]:
        """Those of the splits that there are now which were made by then; in all spaces for None.

        One that was taken back counts as never made.
        """
        ...

    async def split(self, project_id: str, split: Split) -> int:
        """Keeps a split and has the graph follow; how many memories are projected for it.

        Repeating it has those projected again, and changes nothing else.
        """
        ...

    async def rejoin(self, project_id: str, split: Split) -> bool:
        """Takes a split back and has the graph follow; whether there was one."""
        ...
