"""Reads the events of memories page by page, or follows them as they happen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from server.core.errors import MemoryNotFound
from server.core.transient_errors import ShuttingDown
from server.core.values import Page, page_of
from server.memories.history.tails import PAGE_SIZE, EventTails, Follower
from server.memories.memory import MemoryEvent, StreamCursor
from server.memories.ports import MemoryStore
from server.memories.queries import StreamedEvent
from server.memories.scope import Scope, is_within


@dataclass(frozen=True, slots=True)
class ListMemoryEventsCommand:
    """The memory whose history to read; `after_version` is the end of the last page, 0 at first.

    If `within` is given, memories outside of that scope are not found.
    """

    project_id: str
    memory_id: UUID
    page_size: int
    after_version: int = 0
    within: Scope | None = None


class ListMemoryEvents:
    """Reads a memory's history, oldest event first, even if it was deleted or has expired."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def __call__(self, command: ListMemoryEventsCommand) -> Page[MemoryEvent, int]:
        """Returns one page.

        Raises:
            MemoryNotFound: the project never had the memory, or its history was erased.
            StoreUnavailable: the history cannot be read.
        """
        events = await self._store.events(
            command.project_id, command.memory_id, command.after_version, command.page_size + 1
        )
        if not events and not command.after_version:
            raise MemoryNotFound(command.memory_id)
        if events and not is_within(events[0].scope, command.within):
            raise MemoryNotFound(command.memory_id)
        return page_of(events, command.page_size, lambda event: event.version)


@dataclass(frozen=True, slots=True)
class WatchMemoryEventsCommand:
    """The scope to watch; `after` is the cursor of the client's last event, None to begin now."""

    project_id: str
    scope: Scope
    after: StreamCursor | None = None


class WatchMemoryEvents:
    """Streams the events of all servers, each once and in one order.

    A client that resumes after an event's cursor gets every later event once. History that was
    erased with its scope is not sent.

    Events older than the project's tail are read for this stream alone; then the stream follows
    the tail, which all streams of the project share.
    """

    def __init__(self, store: MemoryStore, tails: EventTails, draining: asyncio.Event) -> None:
        self._store = store
        self._tails = tails
        self._draining = draining

    async def __call__(
        self, command: WatchMemoryEventsCommand
    ) -> AsyncIterator[StreamedEvent | StreamCursor]:
        """Yields events without end; if it begins now, yields the cursor of that point first.

        Raises:
            ShuttingDown: this server is stopping; another server can resume after the last cursor.
            StoreUnavailable: the events cannot be read.
        """
        now = await self._store.stream_end()
        after = command.after
        if after is None:
            after = now
            yield after
        while not self._draining.is_set():
            with self._tails.follow(command.project_id, command.scope, now) as follower:
                async for streamed in self._between(command, after, follower):
                    yield streamed
                    after = streamed.cursor
                async for streamed in follower:
                    # Events that arrived while older ones were being read are in the tail too.
                    if streamed.cursor > after:
                        yield streamed
                        after = streamed.cursor
            now = after
        raise ShuttingDown

    async def _between(
        self, command: WatchMemoryEventsCommand, after: StreamCursor, follower: Follower
    ) -> AsyncIterator[StreamedEvent]:
        """Yields the events after a cursor, up to the newest and at least to the follower's."""
        is_behind = after < follower.begin
        while is_behind:
            page = await self._store.stream(command.project_id, command.scope, after, PAGE_SIZE)
            for streamed in page.events:
                await follower.pace.step()
                yield streamed
            after = page.cursor
            is_behind = not page.is_last
