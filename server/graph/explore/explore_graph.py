"""Explores the graph: entities and their neighbourhoods, relations, and paths between entities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from server.core.errors import EntityNotFound
from server.core.values import Page, page_of
from server.graph.explore.access import VisibleGraph
from server.graph.explore.traversal import shortest_paths, within_hops
from server.graph.model import (
    EntityCursor,
    KnownEntity,
    RelationCursor,
    StatedRelation,
    words_of,
)
from server.graph.ports import EntityQuery, GraphScope, RelationQuery, Surroundings
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


def _within(command: GetEntityCommand | ListRelationsCommand, time: datetime) -> GraphScope:
    holding_at = None if command.include_superseded else time
    return GraphScope(command.project_id, command.scope, holding_at)


def _neighbourhood(
    entity: KnownEntity, around: Surroundings, visible: Sequence[StatedRelation], depth: int
) -> Neighbourhood:
    distances, relations = within_hops(visible, entity.ref.key, depth)
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


@dataclass(frozen=True, slots=True)
class ListRelationsCommand:
    """The relations to read.

    The result reflects the write at `position`. `as_of` selects a past instant.
    """

    project_id: str
    scope: Scope
    page_size: int
    entity: str | None = None
    relation: str | None = None
    after: RelationCursor | None = None
    position: int | None = None
    include_superseded: bool = False
    as_of: datetime | None = None


class ListRelations:
    """Lists relations, without relations of deleted memories even if the graph is behind."""

    def __init__(self, graph: VisibleGraph) -> None:
        self._graph = graph

    async def __call__(self, command: ListRelationsCommand) -> Page[StatedRelation, RelationCursor]:
        """Returns one page, which can be short even if there is a next page.

        Raises:
            GraphBehind: the write at `position` does not reach the graph in time.
            GraphUnavailable, StoreUnavailable: the graph or the store cannot be read.
            InvalidRequest: there were too many memories at the past instant.
        """
        reader, time = self._graph.reader, command.as_of
        if time is None:
            await self._graph.catch_up(command.project_id, command.scope, command.position)
            time = self._graph.now()
        else:
            reader = await self._graph.past(command.project_id, command.scope, time)
        stated = await reader.list_relations(
            RelationQuery(
                within=_within(command, time),
                limit=command.page_size + 1,
                entity=command.entity,
                relation=command.relation,
                after=command.after,
            )
        )
        page = page_of(stated, command.page_size, _cursor_of)
        if command.as_of is not None:
            return page
        return Page(await self._graph.visible(command.project_id, page.items), page.next)


def _cursor_of(stated: StatedRelation) -> RelationCursor:
    return RelationCursor(
        event_time=stated.event_time,
        memory_id=stated.memory_id,
        source_key=stated.source_key,
        relation=stated.relation.relation,
        target_key=stated.target_key,
    )


@dataclass(frozen=True, slots=True)
class FindPathsCommand:
    """The two entities, the maximum length of a path, and the number of paths to find.

    The result reflects the write at `position`.
    """

    project_id: str
    scope: Scope
    source: str
    target: str
    max_length: int
    limit: int
    position: int | None = None


class FindPaths:
    """Finds paths by exploring from both ends, each only half as far."""

    def __init__(self, graph: VisibleGraph) -> None:
        self._graph = graph

    async def __call__(self, command: FindPathsCommand) -> list[list[StatedRelation]]:
        """Returns the paths, shortest first.

        Raises:
            EntityNotFound: no memory of the scope mentions one of the two.
            GraphBehind: the write at `position` does not reach the graph in time.
            GraphUnavailable, StoreUnavailable: the graph or the store cannot be read.
        """
        graph = self._graph
        await graph.catch_up(command.project_id, command.scope, command.position)
        within = GraphScope(command.project_id, command.scope, graph.now())
        sources = await graph.named(within, command.source)
        targets = await graph.named(within, command.target)
        ends = _in_one_space(sources, targets)
        if ends is None:
            return []
        source, target = ends
        half = command.max_length // 2
        near = await graph.reader.explore(within, source.ref, command.max_length - half)
        far = await graph.reader.explore(within, target.ref, half)
        known = dict.fromkeys([*near.relations, *far.relations])
        visible = await graph.visible(command.project_id, list(known))
        return shortest_paths(
            visible, source.ref.key, target.ref.key, command.max_length, command.limit
        )


def _in_one_space(
    sources: Sequence[KnownEntity], targets: Sequence[KnownEntity]
) -> tuple[KnownEntity, KnownEntity] | None:
    """Returns the best pair in one graph space; there are no relations between spaces."""
    by_space = {target.ref.space: target for target in targets}
    for source in sources:
        if source.ref.space in by_space:
            return source, by_space[source.ref.space]
    return None
