"""Reads one memory by its id, or the memories of a scope page by page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from server.core.clock import Clock
from server.core.errors import MemoryNotFound
from server.core.values import Page, page_of
from server.memories.filters.filter import Filter
from server.memories.memory import ListCursor, ListOrder, Memory, today
from server.memories.ports import MemoryStore
from server.memories.queries import ListQuery
from server.memories.scope import Scope, is_within


class GetMemory:
    """Reads one memory."""

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(
        self,
        project_id: str,
        memory_id: UUID,
        *,
        show_expired: bool = False,
        as_of: datetime | None = None,
        within: Scope | None = None,
    ) -> Memory:
        """Returns the memory, with `as_of` as of a past instant even if it was deleted since.

        Raises:
            MemoryNotFound: the project does not have it, it is not `within` the scope, or it has
                expired (with `as_of`, had expired by then).
            StoreUnavailable: the memory cannot be read.
        """
        visible_on = None if show_expired else today(as_of or self._clock.now())
        memory = await self._store.get(project_id, memory_id, visible_on, as_of)
        if memory is None or not is_within(memory.scope, within):
            raise MemoryNotFound(memory_id)
        return memory


@dataclass(frozen=True, slots=True)
class ListMemoriesCommand:
    """The memories to list; `after` is the end of the previous page.

    `as_of` is the past instant to read; None means now.
    """

    project_id: str
    scope: Scope
    page_size: int
    order: ListOrder = ListOrder.NEWEST_FIRST
    after: ListCursor | None = None
    show_expired: bool = False
    filters: Filter | None = None
    as_of: datetime | None = None


class ListMemories:
    """Reads a scope page by page."""

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(self, command: ListMemoriesCommand) -> Page[Memory, ListCursor]:
        """Returns one page.

        Raises:
            StoreUnavailable: the memories cannot be read.
        """
        query = ListQuery(
            project_id=command.project_id,
            scope=command.scope,
            limit=command.page_size + 1,
            order=command.order,
            visible_on=None if command.show_expired else today(command.as_of or self._clock.now()),
            after=command.after,
            filters=command.filters,
            time=command.as_of,
        )
        return page_of(await self._store.list(query), command.page_size, _cursor_of)


def _cursor_of(memory: Memory) -> ListCursor:
    return ListCursor(memory.create_time, memory.id)
