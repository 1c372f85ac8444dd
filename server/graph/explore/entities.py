"""Reads entities, and the neighbourhood of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from server.core.errors import EntityNotFound
from server.core.pages import Page
from server.graph.explore.access import VisibleGraph
from server.graph.explore.in_memory import reach
from server.graph.model import EntityCursor, KnownEntity, StatedRelation, words_of
from server.graph.ports import EntityQuery, GraphScope, Surroundings
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

    def __init__(self, graph: VisibleGraph) -> None:
        self._graph = graph

    async def __call__(self, command: GetEntityCommand) -> Neighbourhood:
        """Returns the entity with its neighbourhood.

        Raises:
            EntityNotFound: no memory of the scope mentions it.
            GraphBehind: the write at `position` does not reach the graph in time.
            GraphUnavailable, StoreUnavailable: the graph or the store cannot be read.
            InvalidRequest: the scope had too many memories at the past instant.
        """
        if command.as_of is not None:
            past = await self._graph.past(command.project_id, command.scope, command.as_of)
            within = _within(command, command.as_of)
            found = await past.find_entities(within, command.name)
            if not found:
                raise EntityNotFound(command.name)
            around = await past.explore(within, found[0].known.ref, command.depth)
            return _neighbourhood(found[0].known, around, around.relations, command.depth)
        await self._graph.catch_up(command.project_id, command.scope, command.position)
        within = _within(command, self._graph.now())
        entity, *_ = await self._graph.named(within, command.name)
        around = await self._graph.reader.explore(within, entity.ref, command.depth)
        visible = await self._graph.visible(command.project_id, around.relations)
        return _neighbourhood(entity, around, visible, command.depth)


def _within(command: GetEntityCommand, time: datetime) -> GraphScope:
    holding_at = None if command.include_superseded else time
    return GraphScope(command.project_id, command.scope, holding_at)


def _neighbourhood(
    entity: KnownEntity, around: Surroundings, visible: Sequence[StatedRelation], depth: int
) -> Neighbourhood:
    distances, relations = reach(visible, entity.ref.key, depth)
    near = [key for key in distances if key != entity.ref.key]
    neighbors = [around.entities[key] for key in near if key in around.entities]
    return Neighbourhood(entity, neighbors, relations, around.truncated)


@dataclass(frozen=True, slots=True)
class ListEntitiesCommand:
    """The entities to read. The result reflects the write at `position`."""

    project_id: str
    scope: Scope
    page_size: int
    query: str | None = None
    after: EntityCursor | None = None
    position: int | None = None


class ListEntities:
    """Lists entities of the graph, page by page."""

    def __init__(self, graph: VisibleGraph) -> None:
        self._graph = graph

    async def __call__(self, command: ListEntitiesCommand) -> Page[KnownEntity, EntityCursor]:
        """Returns one page, which can be short even if there is a next page.

        Raises:
            GraphBehind: the write at `position` does not reach the graph in time.
            GraphUnavailable, StoreUnavailable: the graph or the store cannot be read.
        """
        words = words_of(command.query or "")
        if command.query is not None and not words:
            return Page([], None)
        await self._graph.catch_up(command.project_id, command.scope, command.position)
        page = await self._graph.reader.list_entities(
            EntityQuery(
                GraphScope(command.project_id, command.scope),
                command.page_size,
                words,
                command.after,
            )
        )
        return Page(await self._graph.mentioned(command.project_id, page.items), page.next)
