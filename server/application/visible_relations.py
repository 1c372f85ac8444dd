"""What of the graph's answers may be shown: what memories say that are still there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from server.domain.graph import StatedRelation
from server.domain.memory import today
from server.ports.clock import Clock
from server.ports.memory_store import MemoryStore


class VisibleRelations:
    """Asks PostgreSQL, in one statement, because the graph can be behind it."""

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(
        self, project_id: str, relations: Sequence[StatedRelation]
    ) -> list[StatedRelation]:
        """Those of the relations whose memories exist and have not expired.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        visible = await self.memories(project_id, (stated.memory_id for stated in relations))
        return [stated for stated in relations if stated.memory_id in visible]

    async def memories(self, project_id: str, memory_ids: Iterable[UUID]) -> set[UUID]:
        """Those of the memories that exist and have not expired.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        wanted = sorted(set(memory_ids))
        if not wanted:
            return set()
        return await self._store.visible(project_id, wanted, today(self._clock.now()))
