"""Sending the events of a scope as they happen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from server.domain.errors import ShuttingDown
from server.domain.history import StreamCursor
from server.domain.scope import Scope
from server.ports.event_stream import EventStream, StreamedEvent
from server.ports.notifications import Channel, Notifications

# Bounds what a stream whose client reads slowly holds in memory.
PAGE_SIZE = 100
# How long notices alone are trusted, in seconds.
LOOK_AGAIN_SECONDS = 1.0
# How long an event waits at most for transactions that are open and hold it back, in seconds.
HELD_BACK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class WatchMemoryEventsCommand:
    """Whose events; `after` is the place of the last one that the client has, None for now."""

    project_id: str
    scope: Scope
    after: StreamCursor | None = None


class WatchMemoryEvents:
    """Sends each event once, in one order, whichever server made it.

    A client that resumes after an event's cursor gets what came since, and nothing twice. History
    that was erased with its scope is not sent.
    """

    def __init__(
        self, stream: EventStream, notifications: Notifications, draining: asyncio.Event
    ) -> None:
        self._stream = stream
        self._notifications = notifications
        self._draining = draining

    async def __call__(
        self, command: WatchMemoryEventsCommand
    ) -> AsyncIterator[StreamedEvent | StreamCursor]:
        """The events, without an end; before them the place from which they begin, if it is now.

        Raises:
            ShuttingDown: this server ends; another one goes on after the last cursor.
            StoreUnavailable: it cannot be asked.
        """
        after = command.after
        if after is None:
            after = await self._stream.now()
            yield after
        stirred = asyncio.Event()
        with self._notifications.subscribe(Channel.MEMORY_EVENTS, stirred.set):
            while not self._draining.is_set():
                stirred.clear()
                page = await self._stream.read(command.project_id, command.scope, after, PAGE_SIZE)
                for event in page.events:
                    yield event
                after = page.cursor
                if page.is_last:
                    pause = HELD_BACK_SECONDS if page.is_held_back else LOOK_AGAIN_SECONDS
                    await self._rest(stirred, pause)
        raise ShuttingDown

    async def _rest(self, stirred: asyncio.Event, seconds: float) -> None:
        """Until there is something to look for, or the server ends."""
        waits = [asyncio.create_task(event.wait()) for event in (stirred, self._draining)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
