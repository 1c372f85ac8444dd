"""Follows the events of projects as they happen, for all streams."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from server.core.pacing import Pace
from server.memories.memory import StreamCursor
from server.memories.ports import MemoryStore
from server.memories.queries import StreamedEvent, StreamPage
from server.memories.scope import Scope
from server.operations.ports import Channel, Notifications

PAGE_SIZE: Final = 100
MOST_WAITING: Final = 1000
"""The maximum number of events that wait for a follower; then it reads the table instead."""

# How long to rely on notifications alone before reading again, in seconds.
_LOOK_AGAIN_SECONDS: Final = 1.0
# How long to wait before reading again while open transactions hold back events, in seconds.
_HELD_BACK_SECONDS: Final = 0.05
# How long a follower may take to pass on an event that it took, in seconds.
_DELIVERY_SECONDS: Final = 0.005
_WHOLE_PROJECT: Final = Scope()


class Follower:
    """The events of one scope after `begin`, in order, each delivered once.

    It ends when too many events wait, or when the tail ends; waiting events are still delivered.
    All followers of a project share one `pace`.
    """

    def __init__(self, begin: StreamCursor, pace: Pace) -> None:
        self.begin = begin
        self.pace = pace
        self.taken = 0
        """The number of events that were taken from it."""
        self._waiting: deque[StreamedEvent] = deque()
        self._changed = asyncio.Event()
        self._has_ended = False
        self._error: Exception | None = None

    @property
    def is_behind(self) -> bool:
        """Whether events wait to be taken."""
        return bool(self._waiting)

    def add(self, streamed: StreamedEvent) -> None:
        """Adds an event, or ends the follower if too many wait."""
        if len(self._waiting) >= MOST_WAITING:
            self.end()
        if not self._has_ended:
            self._waiting.append(streamed)
            self._changed.set()

    def end(self, error: Exception | None = None) -> None:
        """Ends the iteration after the waiting events, with `error` if there is one."""
        if not self._has_ended:
            self._has_ended, self._error = True, error
            self._changed.set()

    async def __aiter__(self) -> AsyncIterator[StreamedEvent]:
        while True:
            while self._waiting:
                await self.pace.step()
                self.taken += 1
                yield self._waiting.popleft()
            if self._has_ended:
                break
            self._changed.clear()
            await self._changed.wait()
        if self._error is not None:
            raise self._error


class _Tail:
    """Follows the events of one project, from `end` on."""

    def __init__(self, end: StreamCursor) -> None:
        self.end = end
        self._pace = Pace()
        self._followers: dict[Scope, list[Follower]] = {}

    @contextmanager
    def followed(self, scope: Scope) -> Iterator[Follower]:
        follower = Follower(self.end, self._pace)
        followers = self._followers.setdefault(scope, [])
        followers.append(follower)
        try:
            yield follower
        finally:
            followers.remove(follower)
            if not followers:
                del self._followers[scope]

    @property
    def is_followed(self) -> bool:
        return bool(self._followers)

    def pass_on(self, page: StreamPage) -> None:
        """Passes the events of a page to the followers whose scopes include them."""
        for streamed in page.events:
            for scope in streamed.event.scope.readers():
                for follower in self._followers.get(scope, ()):
                    follower.add(streamed)
        self.end = page.cursor

    async def wait_for_followers(self) -> None:
        """Waits until the followers have taken their events.

        A follower that takes nothing in its turn is waiting for its client and is no longer waited
        for.
        """
        behind = self._behind()
        while behind:
            await asyncio.sleep(_DELIVERY_SECONDS)
            # By now all followers that can continue have queued for their turn before this one.
            await self._pace.step()
            behind = {
                follower: taken
                for follower, taken in self._behind().items()
                if taken > behind.get(follower, taken)
            }

    def _behind(self) -> dict[Follower, int]:
        """Returns the followers with waiting events, and how many events each has taken."""
        return {
            follower: follower.taken
            for followers in self._followers.values()
            for follower in followers
            if follower.is_behind
        }

    def close(self, error: Exception | None) -> None:
        for followers in self._followers.values():
            for follower in followers:
                follower.end(error)


@dataclass(frozen=True, slots=True)
class _Reading:
    tail: _Tail
    task: asyncio.Task[None]


class EventTails:
    """Reads the events of each project while it has followers.

    The number of reads for each commit does not grow with the number of followers.
    """

    def __init__(
        self, store: MemoryStore, notifications: Notifications, draining: asyncio.Event
    ) -> None:
        self._store = store
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
        changed = asyncio.Event()
        with self._notifications.subscribe(Channel.MEMORY_EVENTS, changed.set):
            while not self._draining.is_set():
                changed.clear()
                page = await self._store.stream(project_id, _WHOLE_PROJECT, tail.end, PAGE_SIZE)
                tail.pass_on(page)
                await tail.wait_for_followers()
                if page.is_last:
                    pause = _HELD_BACK_SECONDS if page.is_held_back else _LOOK_AGAIN_SECONDS
                    await self._wait(changed, pause)

    async def _wait(self, changed: asyncio.Event, seconds: float) -> None:
        """Waits until there may be something new or the server stops."""
        waits = [asyncio.create_task(event.wait()) for event in (changed, self._draining)]
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
