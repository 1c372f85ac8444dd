"""Reads the events of memories page by page, or follows them as they happen."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from server.core.errors import MemoryNotFound, ShuttingDown
from server.memories.history.ports import MemoryHistory, StreamedEvent, StreamPage
from server.memories.memory import MemoryEvent, StreamCursor
from server.memories.scope import Scope, is_within
from server.operations.ports import Channel, Notifications

PAGE_SIZE: Final = 100
MOST_WAITING: Final = 1000
"""The most events that wait for one follower. If its client is slower, it reads them itself."""

# How long to rely on notices alone before reading again, in seconds.
_LOOK_AGAIN_SECONDS: Final = 1.0
# How long to wait before reading again while open transactions hold events back, in seconds.
_HELD_BACK_SECONDS: Final = 0.05
_WHOLE_PROJECT: Final = Scope()


class Follower:
    """The events of one scope after `begin`, in order, each handed over once.

    It ends when too many events wait, or when the tail ends; events handed over by then are still
    delivered.
    """

    def __init__(self, begin: StreamCursor) -> None:
        self.begin = begin
        self._waiting: deque[StreamedEvent] = deque()
        self._stirred = asyncio.Event()
        self._has_ended = False
        self._error: Exception | None = None

    def hand_over(self, streamed: StreamedEvent) -> None:
        """Hands over an event, or ends the follower if too many wait."""
        if len(self._waiting) >= MOST_WAITING:
            self.end()
        if not self._has_ended:
            self._waiting.append(streamed)
            self._stirred.set()

    def end(self, error: Exception | None = None) -> None:
        """Ends the iteration after the waiting events, with `error` if there is one."""
        if not self._has_ended:
            self._has_ended, self._error = True, error
            self._stirred.set()

    async def __aiter__(self) -> AsyncIterator[StreamedEvent]:
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            if self._has_ended:
                break
            self._stirred.clear()
            await self._stirred.wait()
        if self._error is not None:
            raise self._error


class _Tail:
    """Follows the events of one project, from `end` on."""

    def __init__(self, end: StreamCursor) -> None:
        self.end = end
        self._followers: dict[Scope, list[Follower]] = {}

    @contextmanager
    def followed(self, scope: Scope) -> Iterator[Follower]:
        follower = Follower(self.end)
        of_scope = self._followers.setdefault(scope, [])
        of_scope.append(follower)
        try:
            yield follower
        finally:
            of_scope.remove(follower)
            if not of_scope:
                del self._followers[scope]

    @property
    def is_followed(self) -> bool:
        return bool(self._followers)

    def take(self, page: StreamPage) -> None:
        """Hands the events of a page to the followers whose scopes see them."""
        for streamed in page.events:
            for scope in streamed.event.scope.readers():
                for follower in self._followers.get(scope, ()):
                    follower.hand_over(streamed)
        self.end = page.cursor

    def close(self, error: Exception | None) -> None:
        for followers in self._followers.values():
            for follower in followers:
                follower.end(error)


@dataclass(frozen=True, slots=True)
class _Reading:
    tail: _Tail
    task: asyncio.Task[None]


class EventTails:
    """Reads the events of each project for as long as somebody follows it.

    The number of reads for each commit does not grow with the number of followers.
    """

    def __init__(
        self, history: MemoryHistory, notifications: Notifications, draining: asyncio.Event
    ) -> None:
        self._history = history
        self._notifications = notifications
        self._draining = draining
        self._readings: dict[str, _Reading] = {}

    @contextmanager
    def follow(self, project_id: str, scope: Scope, now: StreamCursor) -> Iterator[Follower]:
        """Follows a scope during the block.

        The first follower of a project begins at `now`. Later ones begin at the point that has been
        read so far, which can be before or after `now`.
        """
        reading = self._readings.get(project_id) or self._begin(project_id, now)
        try:
            with reading.tail.followed(scope) as follower:
                yield follower
        finally:
            if not reading.tail.is_followed:
                reading.task.cancel()
                self._forget(project_id, reading)

    def _begin(self, project_id: str, now: StreamCursor) -> _Reading:
        tail = _Tail(now)
        task = asyncio.create_task(self._read(project_id, tail), name="event-tail")
        reading = _Reading(tail, task)
        self._readings[project_id] = reading
        task.add_done_callback(self._ending(project_id, reading))
        return reading

    async def _read(self, project_id: str, tail: _Tail) -> None:
        stirred = asyncio.Event()
        with self._notifications.subscribe(Channel.MEMORY_EVENTS, stirred.set):
            while not self._draining.is_set():
                stirred.clear()
                page = await self._history.stream(project_id, _WHOLE_PROJECT, tail.end, PAGE_SIZE)
                tail.take(page)
                if page.is_last:
                    pause = _HELD_BACK_SECONDS if page.is_held_back else _LOOK_AGAIN_SECONDS
                    await self._wait(stirred, pause)

    async def _wait(self, stirred: asyncio.Event, seconds: float) -> None:
        """Waits until there may be something new or the server stops."""
        waits = [asyncio.create_task(event.wait()) for event in (stirred, self._draining)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _ending(self, project_id: str, reading: _Reading) -> Callable[[asyncio.Task[None]], None]:
        def end(task: asyncio.Task[None]) -> None:
            error = None if task.cancelled() else task.exception()
            self._forget(project_id, reading)
            reading.tail.close(error if isinstance(error, Exception) else None)

        return end

    def _forget(self, project_id: str, reading: _Reading) -> None:
        if self._readings.get(project_id) is reading:
            del self._readings[project_id]


@dataclass(frozen=True, slots=True)
class ListMemoryEventsCommand:
    """Which memory's history; `after_version` is where the last page ended, 0 for the first.

    A memory that is not `within` the scope, if one is given, does not exist for the command.
    """

    project_id: str
    memory_id: UUID
    page_size: int
    after_version: int = 0
    within: Scope | None = None


@dataclass(frozen=True, slots=True)
class EventPage:
    """One page, and the version after which the next page starts, if there is one."""

    events: Sequence[MemoryEvent]
    next: int | None


class ListMemoryEvents:
    """Reads a memory's history, oldest event first, even if it was deleted or has expired."""

    def __init__(self, history: MemoryHistory) -> None:
        self._history = history

    async def __call__(self, command: ListMemoryEventsCommand) -> EventPage:
        """Returns one page.

        Raises:
            MemoryNotFound: the project never had the memory, or its history was erased.
            StoreUnavailable: the history cannot be read.
        """
        # Reads one more than requested, to know whether there is a next page.
        events = await self._history.events(
            command.project_id, command.memory_id, command.after_version, command.page_size + 1
        )
        if not events and not command.after_version:
            raise MemoryNotFound(command.memory_id)
        if events and not is_within(events[0].scope, command.within):
            raise MemoryNotFound(command.memory_id)
        page = events[: command.page_size]
        return EventPage(page, page[-1].version if len(events) > command.page_size else None)


@dataclass(frozen=True, slots=True)
class WatchMemoryEventsCommand:
    """Whose events to watch, `after` the last one that the client has; None to begin now."""

    project_id: str
    scope: Scope
    after: StreamCursor | None = None


class WatchMemoryEvents:
    """Streams each event once, in one order, whichever server made it.

    A client that resumes after an event's cursor gets everything since, and nothing twice. History
    that was erased with its scope is not sent.

    Events older than the project's tail are read for this stream alone; from there on it follows
    the tail, which all streams of the project share.
    """

    def __init__(self, history: MemoryHistory, tails: EventTails, draining: asyncio.Event) -> None:
        self._history = history
        self._tails = tails
        self._draining = draining

    async def __call__(
        self, command: WatchMemoryEventsCommand
    ) -> AsyncIterator[StreamedEvent | StreamCursor]:
        """Yields events without end; if they begin now, first yields the cursor of that point.

        Raises:
            ShuttingDown: this server is stopping; another one can resume after the last cursor.
            StoreUnavailable: the events cannot be read.
        """
        now = await self._history.stream_end()
        after = command.after
        if after is None:
            after = now
            yield after
        while not self._draining.is_set():
            with self._tails.follow(command.project_id, command.scope, now) as follower:
                async for streamed in self._between(command, after, follower.begin):
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
        self, command: WatchMemoryEventsCommand, after: StreamCursor, end: StreamCursor
    ) -> AsyncIterator[StreamedEvent]:
        """Yields the events after a cursor, up to the newest one and at least up to `end`."""
        is_behind = after < end
        while is_behind:
            page = await self._history.stream(command.project_id, command.scope, after, PAGE_SIZE)
            for streamed in page.events:
                yield streamed
            after = page.cursor
            is_behind = not page.is_last
