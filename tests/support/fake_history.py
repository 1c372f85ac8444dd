"""The history of memories, in memory."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from uuid import UUID

from server.memories.memory import EventType, Memory, MemoryEvent, PastVersion, StreamCursor
from server.memories.queries import StreamedEvent, StreamPage
from server.memories.scope import Scope
from tests.support.builders import NOW
from tests.support.past import Past


@dataclass
class FakeHistory:
    """The history of a `FakeStore`, which reads `past`.

    It passes tests/contract/test_memory_history.py.

    `asked` holds the requested instants and days, and `scopes` the scopes of lists. `streamed`
    holds the events of the stream, and `reads` the scopes that it was read for; reading it raises
    `error`, if set.
    """

    past: Past = field(default_factory=Past)
    asked: list[tuple[datetime, date | None]] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)
    streamed: list[StreamedEvent] = field(default_factory=list)
    reads: list[Scope] = field(default_factory=list)
    error: Exception | None = None
    on_read: Callable[[], None] = lambda: None

    async def version(
        self, project_id: str, memory_id: UUID, version: int | None = None
    ) -> PastVersion | None:
        events = self._events(project_id, memory_id)
        found = [
            each
            for each in events
            if (each.after is not None if version is None else each.version == version)
        ]
        if not found:
            return None
        embedding = self.past.embeddings.get((memory_id, found[-1].version))
        return PastVersion(found[-1].after, embedding, events[-1].version)

    async def events(
        self, project_id: str, memory_id: UUID, after_version: int, limit: int
    ) -> list[MemoryEvent]:
        events = self._events(project_id, memory_id)
        return [event for event in events if event.version > after_version][:limit]

    def _events(self, project_id: str, memory_id: UUID) -> list[MemoryEvent]:
        states = [(event, event.after or event.before) for event in self.past.of(memory_id)]
        return [event for event, state in states if not state or state.project_id == project_id]

    def memories_at(self, time: datetime) -> list[Memory]:
        """Returns the memories as they were."""
        states = {event.memory_id: event.after for event in self.past.events if event.time <= time}
        return [state for state in states.values() if state]

    def happen(self, memory: Memory) -> None:
        """Appends the event of an added memory to the stream."""
        event = MemoryEvent(memory.id, EventType.ADD, 1, NOW, None, memory, memory.provenance)
        place = StreamCursor(len(self.streamed) + 1, 1, 0, memory.id, 1)
        self.streamed.append(StreamedEvent(event, place))

    async def stream_end(self) -> StreamCursor:
        return StreamCursor(len(self.streamed) + 1)

    async def stream(
        self, project_id: str, scope: Scope, after: StreamCursor, limit: int
    ) -> StreamPage:
        self.reads.append(scope)
        self.on_read()
        # Other tasks run in the meantime, as they do during a real read.
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        begin = bisect_right(self.streamed, after, key=lambda streamed: streamed.cursor)
        later = islice(self.streamed, begin, None)
        found = list(islice((e for e in later if scope in e.event.scope.readers()), limit + 1))
        is_last = len(found) <= limit
        end = await self.stream_end() if is_last else found[limit - 1].cursor
        return StreamPage(found[:limit], max(after, end), is_last, is_held_back=False)
