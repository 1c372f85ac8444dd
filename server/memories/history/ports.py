"""Reading what memories were, and the events of a project as they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from server.memories.memory import Memory, MemoryEvent, PastVersion, StreamCursor
from server.memories.ports import ListQuery
from server.memories.scope import Scope


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


@dataclass(frozen=True, slots=True)
class StreamedEvent:
    """An event, and the place after it."""

    event: MemoryEvent
    cursor: StreamCursor


@dataclass(frozen=True, slots=True)
class StreamPage:
    """The next events, and where to go on.

    `is_last` says that there are no more for now; `is_held_back` that there is something which will
    be readable when transactions that are open now have ended.
    """

    events: Sequence[StreamedEvent]
    cursor: StreamCursor
    is_last: bool
    is_held_back: bool


class EventStream(Protocol):
    """All events of a project in one order: an event never appears before one that was read."""

    async def now(self) -> StreamCursor:
        """The place after every event that was committed by now, as far as none is open before it.

        Raises:
            StoreUnavailable: it cannot be asked.
        """
        ...

    async def read(
        self, project_id: str, scope: Scope, after: StreamCursor, limit: int
    ) -> StreamPage:
        """At most `limit` events of the scope after a place; an empty scope is the whole project.

        Raises:
            StoreUnavailable: it cannot be asked.
        """
        ...
