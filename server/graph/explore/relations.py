"""Lists relations, and finds how two entities are connected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from server.core.pages import Page, page_of
from server.graph.explore.access import VisibleGraph
from server.graph.explore.in_memory import shortest_paths
from server.graph.model import KnownEntity, RelationCursor, StatedRelation
from server.graph.ports import GraphScope, RelationQuery
from server.memories.scope import Scope


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
                project_id=command.project_id,
                scope=command.scope,
                limit=command.page_size + 1,
                entity=command.entity,
                relation=command.relation,
                after=command.after,
                holding_at=None if command.include_superseded else time,
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
