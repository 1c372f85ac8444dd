"""The past of memories in memory."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from server.graph.names import Split
from server.graph.ports import TaughtName
from server.memories.history.ports import StreamedEvent, StreamPage
from server.memories.memory import EventType, Memory, MemoryEvent, PastVersion, StreamCursor
from server.memories.ports import ListQuery
from server.memories.scope import Scope
from tests.support.builders import NOW


@dataclass
class FakeHistory:
    """Answers with those of `memories` in the scope, whatever the time.

    `asked` are the instants and days asked for, and `scopes` the scopes of lists.

    `versions` are those of memories, from the first. `streamed` are the events that a test has
    happen, and `reads` the scopes that the stream was read for; `error` makes reading it fail.
    """

    memories: list[Memory] = field(default_factory=list)
    asked: list[tuple[datetime, date | None]] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)
    versions: dict[UUID, list[PastVersion]] = field(default_factory=dict)
    streamed: builtins.list[StreamedEvent] = field(default_factory=list)
    reads: builtins.list[Scope] = field(default_factory=list)
    error: Exception | None = None
    on_read: Callable[[], None] = lambda: None

    async def version(
        self, project_id: str, memory_id: UUID, version: int | None = None
    ) -> PastVersion | None:
        past = self.versions.get(memory_id, [])
        if version is None:
            return next((each for each in reversed(past) if each.memory), None)
        return past[version - 1] if version <= len(past) else None

    async def events(
        self, project_id: str, memory_id: UUID, after_version: int, limit: int
    ) -> list[MemoryEvent]:
        return []

    async def get(
        self, project_id: str, memory_id: UUID, time: datetime, visible_on: date | None
    ) -> Memory | None:
        self.asked.append((time, visible_on))
        return next((memory for memory in self.memories if memory.id == memory_id), None)

    async def list(self, query: ListQuery, time: datetime) -> list[Memory]:
        self.asked.append((time, query.visible_on))
        self.scopes.append(query.scope)
        wanted = set(query.scope.parts())
        found = [memory for memory in self.memories if wanted <= set(memory.scope.parts())]
        return found[: query.limit]

    def happen(self, memory: Memory) -> None:
        """A memory is added, in a transaction of its own."""
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
        # Others go on in the meantime, as they do during a real read.
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        found = [
            streamed
            for streamed in self.streamed
            if streamed.cursor > after and scope in streamed.event.scope.readers()
        ]
        is_last = len(found) <= limit
        end = await self.stream_end() if is_last else found[limit - 1].cursor
        return StreamPage(found[:limit], max(after, end), is_last, is_held_back=False)


@dataclass
class FakeSplits:
    """The names that a test has told apart."""

    kept: list[Split] = field(default_factory=list)

    async def taught(self, project_id: str, space: str | None = None) -> list[TaughtName]:
        return []

    async def splits(
        self, project_id: str, spaces: Sequence[str] | None, at: datetime
    ) -> list[Split]:
        asked = [each for each in self.kept if spaces is None or each.space in spaces]
        return [each for each in asked if each.create_time <= at]

    async def split(self, project_id: str, split: Split) -> int:
        self.kept.append(split)
        return 0

    async def rejoin(self, project_id: str, split: Split) -> bool:
        before = len(self.kept)
        self.kept = [each for each in self.kept if each.pair != split.pair]
        return len(self.kept) < before
