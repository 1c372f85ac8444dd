"""Reading memories: one by its id, or a scope's page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from server.domain.errors import MemoryNotFound
from server.domain.filters import Filter
from server.domain.memory import Memory, today
from server.domain.pages import ListCursor, ListOrder
from server.domain.scope import Scope
from server.ports.clock import Clock
from server.ports.memory_store import ListQuery, MemoryStore


class GetMemory:
    """Reads one memory."""

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(
        self, project_id: str, memory_id: UUID, *, show_expired: bool = False
    ) -> Memory:
        """The memory.

        Raises:
            MemoryNotFound: the project does not have it, or it has expired.
            StoreUnavailable: it cannot be read.
        """
        visible_on = None if show_expired else today(self._clock.now())
        memory = await self._store.get(project_id, memory_id, visible_on)
        if memory is None:
            raise MemoryNotFound(memory_id)
        return memory


@dataclass(frozen=True, slots=True)
class ListMemoriesCommand:
    """Which memories to list; `after` is where the page before ended."""

    project_id: str
    scope: Scope
    page_size: int
    order: ListOrder = ListOrder.NEWEST_FIRST
    after: ListCursor | None = None
    show_expired: bool = False
    filters: Filter | None = None


@dataclass(frozen=True, slots=True)
class MemoryPage:
    """One page, and where the next one starts, if there is one."""

    memories: Sequence[Memory]
    next: ListCursor | None


class ListMemories:
    """Reads a scope page by page."""

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(self, command: ListMemoriesCommand) -> MemoryPage:
        """One page.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        # One more than is asked for tells whether there is a next page.
        memories = await self._store.list(
            ListQuery(
                project_id=command.project_id,
                scope=command.scope,
                limit=command.page_size + 1,
                order=command.order,
                visible_on=None if command.show_expired else today(self._clock.now()),
                after=command.after,
                filters=command.filters,
            )
        )
        page = memories[: command.page_size]
        more = len(memories) > command.page_size
        return MemoryPage(page, ListCursor(page[-1].create_time, page[-1].id) if more else None)
