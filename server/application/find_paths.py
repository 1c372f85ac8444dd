"""Finding how two entities are connected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.application.caught_up import CaughtUp
from server.application.known_entities import KnownEntities
from server.application.visible_relations import VisibleRelations
from server.domain.graph import KnownEntity, StatedRelation
from server.domain.neighbourhood import shortest_paths
from server.domain.scope import Scope
from server.ports.clock import Clock
from server.ports.graph_reader import GraphReader, Within


@dataclass(frozen=True, slots=True)
class FindPathsCommand:
    """Which two entities, how long a path may be, and how many to find.

    `position` is that of a write that the answer must reflect.
    """

    project_id: str
    scope: Scope
    source: str
    target: str
    max_length: int
    limit: int
    position: int | None = None


class FindPaths:
    """Looks from both ends at once, so that each is explored half as far."""

    def __init__(
        self, graph: GraphReader, caught_up: CaughtUp, visible: VisibleRelations, clock: Clock
    ) -> None:
        self._graph = graph
        self._caught_up = caught_up
        self._known = KnownEntities(graph, visible)
        self._visible = visible
        self._clock = clock

    async def __call__(self, command: FindPathsCommand) -> list[list[StatedRelation]]:
        """The paths, shortest first.

        Raises:
            EntityNotFound: no memory of the scope mentions one of the two.
            GraphBehind: the write at `position` is not in the graph in time.
            GraphUnavailable, StoreUnavailable: they cannot be read.
        """
        await self._caught_up(command.project_id, command.position)
        within = Within(command.project_id, command.scope, self._clock.now())
        sources = await self._known.named(within, command.source)
        targets = await self._known.named(within, command.target)
        ends = _in_one_space(sources, targets)
        if ends is None:
            return []
        source, target = ends
        half = command.max_length // 2
        near = await self._graph.explore(within, source.ref, command.max_length - half)
        far = await self._graph.explore(within, target.ref, half)
        known = dict.fromkeys([*near.relations, *far.relations])
        visible = await self._visible(command.project_id, list(known))
        return shortest_paths(
            visible, source.ref.key, target.ref.key, command.max_length, command.limit
        )


def _in_one_space(
    sources: Sequence[KnownEntity], targets: Sequence[KnownEntity]
) -> tuple[KnownEntity, KnownEntity] | None:
    """The likeliest two of one graph space; between spaces there are no relations."""
    by_space = {target.ref.space: target for target in targets}
    for source in sources:
        if source.ref.space in by_space:
            return source, by_space[source.ref.space]
    return None
