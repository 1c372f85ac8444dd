"""Reading the events of a project as they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from server.domain.history import MemoryEvent, StreamCursor
from server.domain.scope import Scope


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
