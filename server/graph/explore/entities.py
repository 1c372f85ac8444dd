"""Reads entities, and the neighbourhood of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from server.core.clock import Clock
from server.core.errors import EntityNotFound
from server.graph.explore.access import CaughtUp, KnownEntities, PastGraph, VisibleRelations
from server.graph.explore.in_memory import PastSpace, explore, reach
from server.graph.model import EntityCursor, KnownEntity, StatedRelation, words_of
from server.graph.ports import EntityQuery, GraphReader, GraphScope
from server.memories.scope import Scope


@dataclass(frozen=True, slots=True)
class GetEntityCommand:
    """The entity to read, and the number of hops around it.

    The result reflects the write at `position`. `as_of` selects a past instant.
    """

    project_id: str
    scope: Scope
    name: str
    depth: int
    position: int | None = None
    include_superseded: bool = False
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """An entity, its neighbours, nearest first, and the relations that lead to them."""

    entity: KnownEntity
    neighbors: Sequence[KnownEntity]
    relations: Sequence[StatedRelation]
    truncated: bool


class GetEntity:
    """Reads an entity with its neighbourhood.

    It costs two reads of the graph, each followed by a read of PostgreSQL; for a past instant a
    single read of PostgreSQL.
    """

    def __init__(
        self,
        graph: GraphReader,
        caught_up: CaughtUp,
        visible: VisibleRelations,
        past: PastGraph,
        clock: Clock,
    ) -> None:
        self._graph = graph
        self._caught_up = caught_up
        self._known = KnownEntities(graph, visible)
        self._visible = visible
        self._past = past
        self._clock = clock

    async def __call__(self, command: GetEntityCommand) -> Neighbourhood:
        """Returns the entity with its neighbourhood.

        Raises:
            EntityNotFound: no memory of the scope mentions it.
            GraphBehind: the write at `position` does not reach the graph in time.
            GraphUnavailable, StoreUnavailable: the graph or the store cannot be read.
            InvalidRequest: the scope had too many memories at the past instant.
        """
        if command.as_of is not None:
            return await self._at(command, command.as_of)
        await self._caught_up(command.project_id, command.scope, command.position)
        holding_at = None if command.include_superseded else self._clock.now()
        within = GraphScope(command.project_id, command.scope, holding_at)
        entity, *_ = await self._known.named(within, command.name)
        around = await self._graph.explore(within, entity.ref, command.depth)
        visible = await self._visible(command.project_id, around.relations)
        distances, relations = reach(visible, entity.ref.key, command.depth)
        near = [key for key in distances if key != entity.ref.key]
        return Neighbourhood(
            entity,
            [around.entities[key] for key in near if key in around.entities],
            relations,
            around.truncated,
        )

    async def _at(self, command: GetEntityCommand, time: datetime) -> Neighbourhood:
        """Returns the same for a past instant, from the history, which is always complete."""
        spaces = await self._past.spaces(command.project_id, command.scope, time)
        space, entity = _likeliest(spaces, command.name)
        holding = (r for r in space.relations if command.include_superseded or r.holds_at(time))
        around, truncated = explore(holding, entity.ref.key, command.depth)
        distances, relations = reach(around, entity.ref.key, command.depth)
        near = [space.known(key) for key in distances if key != entity.ref.key]
        return Neighbourhood(entity, near, relations, truncated)


def _likeliest(spaces: Sequence[PastSpace], name: str) -> tuple[PastSpace, KnownEntity]:
    for space in spaces:
        entity = space.named(name)
        if entity is not None:
            return space, entity
    raise EntityNotFound(name)


@dataclass(frozen=True, slots=True)
class ListEntitiesCommand:
    """The entities to read. The result reflects the write at `position`."""

    project_id: str
    scope: Scope
    page_size: int
    query: str | None = None
    after: EntityCursor | None = None
    position: int | None = None


@dataclass(frozen=True, slots=True)
class ShownEntities:
    """One page, and the start of the next page, if there is one."""

    entities: Sequence[KnownEntity]
    next: EntityCursor | None


class ListEntities:
    """Lists entities of the graph, page by page."""

    def __init__(self, graph: GraphReader, caught_up: CaughtUp, visible: VisibleRelations) -> None:
        self._graph = graph
        self._caught_up = caught_up
        self._known = KnownEntities(graph, visible)

    async def __call__(self, command: ListEntitiesCommand) -> ShownEntities:
        """Returns one page, which can be short even if there is a next page.

        Raises:
            GraphBehind: the write at `position` does not reach the graph in time.
            GraphUnavailable, StoreUnavailable: the graph or the store cannot be read.
        """
        words = words_of(command.query or "")
        if command.query is not None and not words:
            return ShownEntities([], None)
        await self._caught_up(command.project_id, command.scope, command.position)
        page = await self._graph.list_entities(
            EntityQuery(
                GraphScope(command.project_id, command.scope),
                command.page_size,
                words,
                command.after,
            )
        )
        return ShownEntities(await self._known.shown(command.project_id, page.found), page.next)
