"""Reading the history of one memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from server.domain.errors import MemoryNotFound
from server.domain.history import MemoryEvent
from server.ports.memory_history import MemoryHistory


@dataclass(frozen=True, slots=True)
class ListMemoryEventsCommand:
    """Whose history; `after_version` is where the page before ended, 0 for the first page."""

    project_id: str
    memory_id: UUID
    page_size: int
    after_version: int = 0


@dataclass(frozen=True, slots=True)
class EventPage:
    """One page, and the version after which the next one starts, if there is one."""

    events: Sequence[MemoryEvent]
    next: int | None


class ListMemoryEvents:
    """Reads the history, oldest event first. That of a deleted or expired memory is there too."""

    def __init__(self, history: MemoryHistory) -> None:
        self._history = history

    async def __call__(self, command: ListMemoryEventsCommand) -> EventPage:
        """One page.

        Raises:
            MemoryNotFound: the project never had it, or its history is deleted.
            StoreUnavailable: it cannot be read.
        """
        # One more than is asked for tells whether there is a next page.
        events = await self._history.events(
            command.project_id, command.memory_id, command.after_version, command.page_size + 1
        )
        if not events and not command.after_version:
            raise MemoryNotFound(command.memory_id)
        page = events[: command.page_size]
        return EventPage(page, page[-1].version if len(events) > command.page_size else None)
