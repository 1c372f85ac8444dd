"""The common part of all reads of the graph: waiting for writes, the past, and what is hidden."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from server.core.clock import Clock
from server.core.errors import EntityNotFound, FieldViolation
from server.core.request_context import bounded
from server.core.transient_errors import GraphBehind
from server.graph.explore.computed_space import ComputedSpace
from server.graph.explore.scoped_reader import MOST_MEMORIES, SpacesReader, computed_spaces
from server.graph.model import KnownEntity, StatedRelation
from server.graph.ports import FoundEntity, GraphReader, GraphScope
from server.graph.project.ports import Outbox
from server.memories.memory import today
from server.memories.ports import MemoryStore
from server.memories.scope import Scope

CATCH_UP_SECONDS = 5.0
CATCH_UP_INTERVAL_SECONDS = 0.02


class VisibleGraph:
    """Reads the graph as of a write, and hides what only deleted or expired memories state.

    The graph can be behind, so every result is checked in PostgreSQL, with one statement.
    """

    def __init__(
        self, reader: GraphReader, outbox: Outbox, store: MemoryStore, clock: Clock
    ) -> None:
        self.reader = reader
        self._outbox = outbox
        self._store = store
        self._clock = clock

    def now(self) -> datetime:
        """Returns the current time."""
        return self._clock.now()

    async def catch_up(self, project_id: str, scope: Scope, position: int | None) -> None:
        """Returns once reads of the scope see the write at `position`; at once if that is None.

        The projector, which may run in another server, updates the graph. Only reads of whole graph
        spaces use Neo4j and can be behind.

        Raises:
            GraphBehind: they do not see it within CATCH_UP_SECONDS or the call's deadline.
            StoreUnavailable: the outbox cannot be read.
        """
        if position is None or not scope.sees_whole_spaces():
            return
        try:
            async with asyncio.timeout(bounded(CATCH_UP_SECONDS)):
                # Any server may project the write, so this process has no event to wait for.
                while not await self._outbox.is_caught_up(project_id, position):  # noqa: ASYNC110
                    await asyncio.sleep(CATCH_UP_INTERVAL_SECONDS)
        except TimeoutError as error:
            raise GraphBehind from error

    async def past(self, project_id: str, scope: Scope, time: datetime) -> GraphReader:
        """Returns a reader of the scope's graph at a past instant, of which Neo4j knows nothing.

        It is computed from the history, which is always complete. It costs two statements, which
        read the scope's past memories and the names that were split by then.

        Raises:
            InvalidRequest: the scope had too many memories.
            StoreUnavailable: the memories cannot be read.
        """
        rule = f"a past instant can only be read with at most {MOST_MEMORIES} memories"
        spaces = await computed_spaces(
            self._store, project_id, scope, time, FieldViolation("as_of", rule), is_past=True
        )

        async def read(_project_id: str, _scope: Scope) -> Sequence[ComputedSpace]:
            return spaces

        return SpacesReader(read)

    async def visible(
        self, project_id: str, relations: Sequence[StatedRelation]
    ) -> list[StatedRelation]:
        """Returns the relations whose memories exist and have not expired.

        Raises:
            StoreUnavailable: PostgreSQL cannot be read.
        """
        visible = await self._visible_of(project_id, (stated.memory_id for stated in relations))
        return [stated for stated in relations if stated.memory_id in visible]

    async def named(self, within: GraphScope, name: str) -> Sequence[KnownEntity]:
        """Returns the entities with this name or alias, at most one per graph space, best first.

        Raises:
            EntityNotFound: there is no such entity.
            GraphUnavailable, StoreUnavailable: the graph or the store cannot be read.
        """
        found = await self.reader.find_entities(within, name)
        shown = await self.mentioned(within.project_id, found)
        if not shown:
            raise EntityNotFound(name)
        return shown

    async def mentioned(self, project_id: str, found: Sequence[FoundEntity]) -> list[KnownEntity]:
        """Returns the entities that an existing memory mentions, in the given order.

        Raises:
            StoreUnavailable: PostgreSQL cannot be read.
        """
        ids = {memory_id for each in found for memory_id in each.memory_ids}
        visible = await self._visible_of(project_id, ids)
        counted = []
        for each in found:
            hidden = sum(memory_id not in visible for memory_id in each.memory_ids)
            if hidden < len(each.memory_ids):
                count = each.known.memory_count - hidden
                counted.append(replace(each.known, memory_count=count))
        return counted

    async def _visible_of(self, project_id: str, memory_ids: Iterable[UUID]) -> set[UUID]:
        distinct_ids = sorted(set(memory_ids))
        if not distinct_ids:
            return set()
        return await self._store.visible(project_id, distinct_ids, today(self._clock.now()))
