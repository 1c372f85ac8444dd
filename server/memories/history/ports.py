"""Ports that read past states of memories, and the events of a project as they occur."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from server.memories.memory import Memory, MemoryEvent, PastVersion, StreamCursor
from server.memories.ports import ListQuery
from server.memories.scope import Scope


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class StreamedEvent:
    """An event, and the cursor after it. Streams that send it share one object."""

    event: MemoryEvent
    cursor: StreamCursor


@dataclass(frozen=True, slots=True)
class StreamPage:
    """The next events, and the cursor to continue from.

    `is_last` is whether there are no more events for now; `is_held_back` is whether more events
    become readable when the currently open transactions end.
    """

    events: Sequence[StreamedEvent]
    cursor: StreamCursor
    is_last: bool
    is_held_back: bool


class MemoryHistory(Protocol):
    """The history of a project's memories, including deleted ones, also as a stream of events.

    Every method works within one project and raises StoreUnavailable if PostgreSQL cannot be
    reached or refuses work.
    """

    async def events(
        self, project_id: str, memory_id: UUID, after_version: int, limit: int
    ) -> list[MemoryEvent]:
        """Returns the events after the version `after_version` (0 for all), oldest first."""
        ...

    async def get(
        self, project_id: str, memory_id: UUID, time: datetime, visible_on: date | None
    ) -> Memory | None:
        """Returns the memory as of `time`, if it existed and was visible on `visible_on`."""
        ...

    async def version(
        self, project_id: str, memory_id: UUID, version: int | None = None
    ) -> PastVersion | None:
        """Returns the memory at one version, if its history has that version.

        Without a version, returns the last version that is not a deletion.
        """
        ...

    async def list(self, query: ListQuery, time: datetime) -> list[Memory]:
        """Returns one page of the memories as of `time`."""
        ...

    async def stream_end(self) -> StreamCursor:
        """Returns the cursor after all committed events that have no open transaction before them.

        The events of a project have a fixed order: no event appears before one that was read.
        """
        ...

    async def stream(
        self, project_id: str, scope: Scope, after: StreamCursor, limit: int
    ) -> StreamPage:
        """Returns up to `limit` events after a cursor, of the scope or, if empty, the project."""
        ...
