"""Reading what memories speak of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.application.caught_up import CaughtUp
from server.application.known_entities import KnownEntities
from server.application.visible_relations import VisibleRelations
from server.domain.graph import KnownEntity, words_of
from server.domain.pages import EntityCursor
from server.domain.scope import Scope
from server.ports.graph_reader import EntityQuery, GraphReader, Within


@dataclass(frozen=True, slots=True)
class ListEntitiesCommand:
    """Which entities to read. `position` is that of a write that they must reflect."""

    project_id: str
    scope: Scope
    page_size: int
    query: str | None = None
    after: EntityCursor | None = None
    position: int | None = None


@dataclass(frozen=True, slots=True)
class ShownEntities:
    """One page, and where the next one starts, if there is one."""

    entities: Sequence[KnownEntity]
    next: EntityCursor | None


class ListEntities:
    """Reads the graph page by page."""

    def __init__(self, graph: GraphReader, caught_up: CaughtUp, visible: VisibleRelations) -> None:
        self._graph = graph
        self._caught_up = caught_up
        self._known = KnownEntities(graph, visible)

    async def __call__(self, command: ListEntitiesCommand) -> ShownEntities:
        """One page. It can be short, and still have a next one.

        Raises:
            GraphBehind: the write at `position` is not in the graph in time.
            GraphUnavailable, StoreUnavailable: they cannot be read.
        """
        words = words_of(command.query or "")
        if command.query is not None and not words:
            return ShownEntities([], None)
        await self._caught_up(command.project_id, command.position)
        page = await self._graph.list_entities(
            EntityQuery(
                Within(command.project_id, command.scope), command.page_size, words, command.after
            )
        )
        return ShownEntities(await self._known.shown(command.project_id, page.found), page.next)
