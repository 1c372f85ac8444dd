"""Reading what memories were."""

from __future__ import annotations

from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from server.domain.history import MemoryEvent, PastVersion
from server.domain.memory import Memory
from server.ports.memory_store import ListQuery


class MemoryHistory(Protocol):
    """The past of a project's memories, of those too that are deleted.

    Every method works within one project and raises StoreUnavailable where PostgreSQL cannot be
    reached or refuses work.
    """

    async def events(
        self, project_id: str, memory_id: UUID, after_version: int, limit: int
    ) -> list[MemoryEvent]:
        """The events after the one that led to `after_version`, oldest first; 0 is before all."""
        ...

    async def get(
        self, project_id: str, memory_id: UUID, time: datetime, visible_on: date | None
    ) -> Memory | None:
        """The memory as it was at `time`, if it was there and was visible on that day."""
        ...

    async def version(
        self, project_id: str, memory_id: UUID, version: int | None = None
    ) -> PastVersion | None:
        """The memory at one version, if its history has that one.

        Without a version, at the last one that is not a deletion.
        """
        ...

    async def list(self, query: ListQuery, time: datetime) -> list[Memory]:
        """One page of the memories that were there at `time`, as they were."""
        ...
