"""Reading who relates to what."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from server.domain.errors import GraphBehind
from server.domain.graph import StatedRelation
from server.domain.memory import today
from server.domain.pages import RelationCursor
from server.domain.request_context import bounded
from server.domain.scope import Scope
from server.ports.clock import Clock
from server.ports.graph import Graph, RelationQuery
from server.ports.memory_store import MemoryStore
from server.ports.outbox import Outbox

CATCH_UP_SECONDS = 5.0
CATCH_UP_INTERVAL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class ListRelationsCommand:
    """Which relations to read. `position` is that of a write that they must reflect."""

    project_id: str
    scope: Scope
    page_size: int
    entity: str | None = None
    relation: str | None = None
    after: RelationCursor | None = None
    position: int | None = None


@dataclass(frozen=True, slots=True)
class RelationPage:
    """One page, and where the next one starts, if there is one."""

    relations: Sequence[StatedRelation]
    next: RelationCursor | None


class ListRelations:
    """Reads the graph, and shows nothing of a memory that is gone though the graph be behind."""

    def __init__(self, graph: Graph, outbox: Outbox, store: MemoryStore, clock: Clock) -> None:
        self._graph = graph
        self._outbox = outbox
        self._store = store
        self._clock = clock

    async def __call__(self, command: ListRelationsCommand) -> RelationPage:
        """One page. It can be short where the graph is behind, and still have a next one.

        Raises:
            GraphBehind: the write at `position` is not in the graph in time.
            GraphUnavailable, StoreUnavailable: they cannot be read.
        """
        if command.position is not None:
            await self._catch_up(command.project_id, command.position)
        stated = await self._graph.list_relations(
            RelationQuery(
                project_id=command.project_id,
                scope=command.scope,
                limit=command.page_size + 1,
                entity=command.entity,
                relation=command.relation,
                after=command.after,
            )
        )
        page = stated[: command.page_size]
        more = len(stated) > command.page_size
        return RelationPage(await self._still_there(command, page), _cursor(page) if more else None)

    async def _still_there(
        self, command: ListRelationsCommand, page: Sequence[StatedRelation]
    ) -> list[StatedRelation]:
        visible = await self._store.visible(
            command.project_id,
            sorted({stated.memory_id for stated in page}),
            today(self._clock.now()),
        )
        return [stated for stated in page if stated.memory_id in visible]

    async def _catch_up(self, project_id: str, position: int) -> None:
        try:
            async with asyncio.timeout(bounded(CATCH_UP_SECONDS)):
                # Any replica may do the projecting, so there is no event to wait for in here.
                while not await self._outbox.is_caught_up(project_id, position):  # noqa: ASYNC110
                    await asyncio.sleep(CATCH_UP_INTERVAL_SECONDS)
        except TimeoutError as error:
            raise GraphBehind from error


def _cursor(page: Sequence[StatedRelation]) -> RelationCursor:
    last = page[-1]
    return RelationCursor(
        event_time=last.event_time,
        memory_id=last.memory_id,
        source_key=last.relation.source.key,
        relation=last.relation.relation,
        target_key=last.relation.target.key,
    )
