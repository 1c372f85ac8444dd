"""Sending the events of a scope as they happen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from server.application.event_tails import PAGE_SIZE, EventTails
from server.domain.errors import ShuttingDown
from server.domain.history import StreamCursor
from server.domain.scope import Scope
from server.ports.event_stream import EventStream, StreamedEvent


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

    What is older than the tail of the project is read for the stream alone; from there on it
    follows the tail, which all streams of the project share.
    """

    def __init__(self, stream: EventStream, tails: EventTails, draining: asyncio.Event) -> None:
        self._stream = stream
        self._tails = tails
        self._draining = draining

    async def __call__(
        self, command: WatchMemoryEventsCommand
    ) -> AsyncIterator[StreamedEvent | StreamCursor]:
        """The events, without an end; before them the place from which they begin, if it is now.

        Raises:
            ShuttingDown: this server ends; another one goes on after the last cursor.
            StoreUnavailable: it cannot be asked.
        """
        now = await self._stream.now()
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
                    # What came while the older ones were read came there too.
                    if streamed.cursor > after:
                        yield streamed
                        after = streamed.cursor
            now = after
        raise ShuttingDown

    async def _between(
        self, command: WatchMemoryEventsCommand, after: StreamCursor, end: StreamCursor
    ) -> AsyncIterator[StreamedEvent]:
        """The events after a place, up to `end` at least: to the last that there is."""
        is_behind = after < end
        while is_behind:
            page = await self._stream.read(command.project_id, command.scope, after, PAGE_SIZE)
            for streamed in page.events:
                yield streamed
            after = page.cursor
            is_behind = not page.is_last
