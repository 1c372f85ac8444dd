"""Reading an entity and what lies around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from server.application.caught_up import CaughtUp
from server.application.known_entities import KnownEntities
from server.application.past_graph import PastGraph
from server.application.visible_relations import VisibleRelations
from server.domain.errors import EntityNotFound
from server.domain.graph import KnownEntity, StatedRelation
from server.domain.neighbourhood import explore, reach
from server.domain.past_graph import PastSpace
from server.domain.scope import Scope
from server.ports.clock import Clock
from server.ports.graph_reader import GraphReader, Within


@dataclass(frozen=True, slots=True)
class GetEntityCommand:
    """Which entity to read, and how many hops around it.

    `position` is that of a write that the answer must reflect. `as_of` asks for a past instant.
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
    """An entity, the entities around it, nearest first, and the relations on the way to them."""

    entity: KnownEntity
    neighbors: Sequence[KnownEntity]
    relations: Sequence[StatedRelation]
    truncated: bool


class GetEntity:
    """Costs two reads of the graph, each followed by one of PostgreSQL; of the past only one."""

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
        """The entity with its neighbourhood.

        Raises:
            EntityNotFound: no memory of the scope mentions it.
            GraphBehind: the write at `position` is not in the graph in time.
            GraphUnavailable, StoreUnavailable: they cannot be read.
            InvalidRequest: too much would have to be read of a past instant.
        """
        if command.as_of is not None:
            return await self._at(command, command.as_of)
        await self._caught_up(command.project_id, command.position)
        holding_at = None if command.include_superseded else self._clock.now()
        within = Within(command.project_id, command.scope, holding_at)
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
        """The same at a past instant, from the history, which no write can be missing from."""
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
