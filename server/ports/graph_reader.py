"""Asking who relates to what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from server.domain.graph import EntityRef, KnownEntity, StatedRelation
from server.domain.graph_recall import Recollection
from server.domain.pages import EntityCursor, RelationCursor
from server.domain.scope import Scope


@dataclass(frozen=True, slots=True)
class Within:
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

    within: Within
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

    async def find_entities(self, within: Within, name: str) -> list[FoundEntity]:
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

    async def explore(self, within: Within, start: EntityRef, hops: int) -> Surroundings:
        """The entity and what lies within `hops` relations of it, the nearest first."""
        ...

    async def recall(self, within: Within, names: Sequence[str]) -> Recollection:
        """What the entities of these keys or aliases lead to within two relations."""
        ...
