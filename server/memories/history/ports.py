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

    `is_last` says that there are no more for now; `is_held_back`, that there are events which
    become readable when transactions that are open now have ended.
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
        """Returns the events after the one that made `after_version`, oldest first; 0 for all."""
        ...

    async def get(
        self, project_id: str, memory_id: UUID, time: datetime, visible_on: date | None
    ) -> Memory | None:
        """Returns the memory as it was at `time`, if it existed and was visible on `visible_on`."""
        ...

    async def version(
        self, project_id: str, memory_id: UUID, version: int | None = None
    ) -> PastVersion | None:
        """Returns the memory at one version, if its history has that version.

        Without a version, returns the last one that is not a deletion.
        """
        ...

    async def list(self, query: ListQuery, time: datetime) -> list[Memory]:
        """Returns one page of the memories that existed at `time`, as they were then."""
        ...

    async def stream_end(self) -> StreamCursor:
        """Returns the cursor after all committed events that have no open transaction before them.

        All events of a project are in one order: none appears before one that was already read.
        """
        ...

    async def stream(
        self, project_id: str, scope: Scope, after: StreamCursor, limit: int
    ) -> StreamPage:
        """Returns up to `limit` events of the scope after a cursor; an empty one is the project."""
        ...
