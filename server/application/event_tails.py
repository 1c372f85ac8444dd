"""The newest events of each project that is watched, read once for all who watch it here."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from server.domain.history import StreamCursor
from server.domain.scope import Scope
from server.ports.event_stream import EventStream, StreamedEvent, StreamPage
from server.ports.notifications import Channel, Notifications

PAGE_SIZE: Final = 100
MOST_WAITING: Final = 1000
"""Events that wait for one follower. One whose client reads slower than that reads again itself."""

# How long notices alone are trusted, in seconds.
_LOOK_AGAIN_SECONDS: Final = 1.0
# How long an event waits at most for transactions that are open and hold it back, in seconds.
_HELD_BACK_SECONDS: Final = 0.05
_WHOLE_PROJECT: Final = Scope()


class Follower:
    """The events of one scope after `begin`, in their order, each handed over once.

    Ends when there were more than wait for one follower, or when the tail does; what was handed
    over by then is still had.
    """

    def __init__(self, begin: StreamCursor) -> None:
        self.begin = begin
        self._waiting: deque[StreamedEvent] = deque()
        self._stirred = asyncio.Event()
        self._has_ended = False
        self._error: Exception | None = None

    def hand_over(self, streamed: StreamedEvent) -> None:
        """Gives it an event, or ends it where too many wait."""
        if len(self._waiting) >= MOST_WAITING:
            self.end()
        if not self._has_ended:
            self._waiting.append(streamed)
            self._stirred.set()

    def end(self, error: Exception | None = None) -> None:
        """Lets the iteration end after what waits, with `error` where there is one."""
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
    """One project, from `end` on."""

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
        """Hands the events of a page to those whose scopes see them."""
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
    """Reads the events of the projects that are followed, for as long as they are.

    What a commit costs in reads does not grow with the number of followers.
    """

    def __init__(
        self, stream: EventStream, notifications: Notifications, draining: asyncio.Event
    ) -> None:
        self._stream = stream
        self._notifications = notifications
        self._draining = draining
        self._readings: dict[str, _Reading] = {}

    @contextmanager
    def follow(self, project_id: str, scope: Scope, now: StreamCursor) -> Iterator[Follower]:
        """Follows a scope during the block.

        The project is read from `now` on where this is its first follower; else the follower
        begins where the reading is, which can be before `now` or after it.
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
                page = await self._stream.read(project_id, _WHOLE_PROJECT, tail.end, PAGE_SIZE)
                tail.take(page)
                if page.is_last:
                    pause = _HELD_BACK_SECONDS if page.is_held_back else _LOOK_AGAIN_SECONDS
                    await self._rest(stirred, pause)

    async def _rest(self, stirred: asyncio.Event, seconds: float) -> None:
        """Until there is something to look for, or the server ends."""
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
