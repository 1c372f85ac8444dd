"""Reading an entity and what lies around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.application.caught_up import CaughtUp
from server.application.known_entities import KnownEntities
from server.application.visible_relations import VisibleRelations
from server.domain.graph import KnownEntity, StatedRelation
from server.domain.neighbourhood import reach
from server.domain.scope import Scope
from server.ports.clock import Clock
from server.ports.graph_reader import GraphReader, Within


@dataclass(frozen=True, slots=True)
class GetEntityCommand:
    """Which entity to read, and how many hops around it.

    `position` is that of a write that the answer must reflect.
    """

    project_id: str
    scope: Scope
    name: str
    depth: int
    position: int | None = None
    include_superseded: bool = False


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """An entity, the entities around it, nearest first, and the relations on the way to them."""

    entity: KnownEntity
    neighbors: Sequence[KnownEntity]
    relations: Sequence[StatedRelation]
    truncated: bool


class GetEntity:
    """Costs two reads of the graph, each followed by one of PostgreSQL."""

    def __init__(
        self, graph: GraphReader, caught_up: CaughtUp, visible: VisibleRelations, clock: Clock
    ) -> None:
        self._graph = graph
        self._caught_up = caught_up
        self._known = KnownEntities(graph, visible)
        self._visible = visible
        self._clock = clock

    async def __call__(self, command: GetEntityCommand) -> Neighbourhood:
        """The entity with its neighbourhood.

        Raises:
            EntityNotFound: no memory of the scope mentions it.
            GraphBehind: the write at `position` is not in the graph in time.
            GraphUnavailable, StoreUnavailable: they cannot be read.
        """
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
