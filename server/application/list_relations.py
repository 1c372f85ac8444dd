"""Reading who relates to what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from server.application.caught_up import CaughtUp
from server.application.past_graph import PastGraph
from server.application.visible_relations import VisibleRelations
from server.domain.graph import StatedRelation, relation_name
from server.domain.pages import RelationCursor
from server.domain.scope import Scope
from server.ports.clock import Clock
from server.ports.graph_reader import GraphReader, RelationQuery


@dataclass(frozen=True, slots=True)
class ListRelationsCommand:
    """Which relations to read. `position` is that of a write that they must reflect.

    `as_of` asks for those of a past instant.
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


@dataclass(frozen=True, slots=True)
class RelationPage:
    """One page, and where the next one starts, if there is one."""

    relations: Sequence[StatedRelation]
    next: RelationCursor | None


class ListRelations:
    """Reads the graph, and shows nothing of a memory that is gone though the graph be behind."""

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
        self._visible = visible
        self._past = past
        self._clock = clock

    async def __call__(self, command: ListRelationsCommand) -> RelationPage:
        """One page. It can be short where the graph is behind, and still have a next one.

        Raises:
            GraphBehind: the write at `position` is not in the graph in time.
            GraphUnavailable, StoreUnavailable: they cannot be read.
            InvalidRequest: too much would have to be read of a past instant.
        """
        if command.as_of is not None:
            return await self._at(command, command.as_of)
        await self._caught_up(command.project_id, command.position)
        stated = await self._graph.list_relations(
            RelationQuery(
                project_id=command.project_id,
                scope=command.scope,
                limit=command.page_size + 1,
                entity=command.entity,
                relation=command.relation,
                after=command.after,
                holding_at=None if command.include_superseded else self._clock.now(),
            )
        )
        page = stated[: command.page_size]
        more = len(stated) > command.page_size
        return RelationPage(
            await self._visible(command.project_id, page), _cursor(page) if more else None
        )

    async def _at(self, command: ListRelationsCommand, time: datetime) -> RelationPage:
        """A page of a past instant, from the history, which no write can be missing from."""
        stated = await self._past.relations(command.project_id, command.scope, time, command.entity)
        relation = None if command.relation is None else relation_name(command.relation)
        rest = [
            each
            for each in stated
            if (command.include_superseded or each.holds_at(time))
            and (relation is None or each.relation.relation == relation)
            and (command.after is None or _is_after(each, command.after))
        ]
        page = rest[: command.page_size]
        return RelationPage(page, _cursor(page) if len(rest) > len(page) else None)


def _is_after(stated: StatedRelation, cursor: RelationCursor) -> bool:
    if stated.event_time != cursor.event_time:
        return stated.event_time < cursor.event_time
    return stated.place > (cursor.memory_id, cursor.source_key, cursor.relation, cursor.target_key)


def _cursor(page: Sequence[StatedRelation]) -> RelationCursor:
    last = page[-1]
    return RelationCursor(
        event_time=last.event_time,
        memory_id=last.memory_id,
        source_key=last.source_key,
        relation=last.relation.relation,
        target_key=last.target_key,
    )
