"""The common part of all reads of the graph: waiting for writes, and hiding deleted memories."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from server.core.clock import Clock
from server.core.errors import EntityNotFound, FieldViolation, GraphBehind, InvalidRequest
from server.core.request_context import bounded
from server.graph.explore.in_memory import PastSpace
from server.graph.explore.scoped_reader import SpacesReader, computed_spaces
from server.graph.model import KnownEntity, StatedRelation
from server.graph.ports import FoundEntity, GraphReader, GraphScope
from server.graph.project.ports import Outbox
from server.memories.history.ports import MemoryHistory
from server.memories.memory import ListOrder, today
from server.memories.ports import ListQuery, MemoryStore
from server.memories.scope import Scope

CATCH_UP_SECONDS = 5.0
CATCH_UP_INTERVAL_SECONDS = 0.02


class CaughtUp:
    """Waits for the projector, which may run in another server."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def __call__(
        self, project_id: str, scope: Scope, position: int | None, seconds: float = CATCH_UP_SECONDS
    ) -> None:
        """Returns once reads of the scope see the write at `position`; at once if that is None.

        Only reads of whole graph spaces use Neo4j and can be behind.

        Raises:
            GraphBehind: they do not see it within `seconds` or the call's deadline.
            StoreUnavailable: the outbox cannot be read.
        """
        if position is None or not scope.sees_whole_spaces():
            return
        try:
            async with asyncio.timeout(bounded(seconds)):
                # Any server may project the write, so this process has no event to wait for.
                while not await self._outbox.is_caught_up(project_id, position):  # noqa: ASYNC110
                    await asyncio.sleep(CATCH_UP_INTERVAL_SECONDS)
        except TimeoutError as error:
            raise GraphBehind from error


class VisibleRelations:
    """Checks in PostgreSQL, with one statement, because the graph can be behind."""

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(
        self, project_id: str, relations: Sequence[StatedRelation]
    ) -> list[StatedRelation]:
        """Returns the relations whose memories exist and have not expired.

        Raises:
            StoreUnavailable: PostgreSQL cannot be read.
        """
        visible = await self.memories(project_id, (stated.memory_id for stated in relations))
        return [stated for stated in relations if stated.memory_id in visible]

    async def memories(self, project_id: str, memory_ids: Iterable[UUID]) -> set[UUID]:
        """Returns the memories that exist and have not expired.

        Raises:
            StoreUnavailable: PostgreSQL cannot be read.
        """
        wanted = sorted(set(memory_ids))
        if not wanted:
            return set()
        return await self._store.visible(project_id, wanted, today(self._clock.now()))


class KnownEntities:
    """Reads the graph, and hides entities that only deleted memories mention."""

    def __init__(self, graph: GraphReader, visible: VisibleRelations) -> None:
        self._graph = graph
        self._visible = visible

    async def named(self, within: GraphScope, name: str) -> Sequence[KnownEntity]:
        """Returns the entities with this name or alias, at most one per graph space, best first.

        Raises:
            EntityNotFound: there is no such entity.
            GraphUnavailable, StoreUnavailable: the graph or the store cannot be read.
        """
        shown = await self.shown(within.project_id, await self._graph.find_entities(within, name))
        if not shown:
            raise EntityNotFound(name)
        return shown

    async def shown(self, project_id: str, found: Sequence[FoundEntity]) -> list[KnownEntity]:
        """Returns the entities that an existing memory mentions, in the given order.

        Raises:
            StoreUnavailable: PostgreSQL cannot be read.
        """
        ids = {memory_id for each in found for memory_id in each.memory_ids}
        visible = await self._visible.memories(project_id, ids)
        counted = []
        for each in found:
            gone = sum(memory_id not in visible for memory_id in each.memory_ids)
            if gone < len(each.memory_ids):
                count = each.known.memory_count - gone
                counted.append(replace(each.known, memory_count=count))
        return counted


MOST_MEMORIES: Final = 10_000
"""The maximum number of memories for a past graph; Neo4j holds only the present."""


class PastGraph:
    """Computes the graph of a past instant, from the history, which is always complete.

    It costs two statements, which read the scope's past memories and the names that were split by
    then.
    """

    def __init__(self, history: MemoryHistory, store: MemoryStore) -> None:
        self._history = history
        self._store = store

    async def at(self, project_id: str, scope: Scope, time: datetime) -> SpacesReader:
        """Returns a reader of the scope's graph at that time.

        Raises:
            InvalidRequest: the scope had too many memories.
            StoreUnavailable: the memories cannot be read.
        """
        spaces = await self._spaces(project_id, scope, time)

        async def read(_project_id: str, _scope: Scope) -> Sequence[PastSpace]:
            return spaces

        return SpacesReader(read)

    async def _spaces(self, project_id: str, scope: Scope, time: datetime) -> list[PastSpace]:
        """Returns the past graphs of the scope's spaces, computed from its memories alone."""
        query = ListQuery(
            project_id, scope, MOST_MEMORIES + 1, ListOrder.NEWEST_FIRST, visible_on=today(time)
        )
        memories = await self._history.list(query, time)
        if len(memories) > MOST_MEMORIES:
            rule = f"a past instant can only be read with at most {MOST_MEMORIES} memories"
            raise InvalidRequest([FieldViolation("as_of", rule)])
        return await computed_spaces(self._store, project_id, memories, time)
