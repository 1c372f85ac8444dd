"""The past of memories in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from server.domain.history import MemoryEvent, StreamCursor
from server.domain.memory import Memory
from server.domain.scope import Scope
from server.ports.event_stream import StreamPage
from server.ports.memory_store import ListQuery


@dataclass
class FakeHistory:
    """Answers with `memories` whatever the time; `asked` are the instants and days asked for."""

    memories: list[Memory] = field(default_factory=list)
    asked: list[tuple[datetime, date | None]] = field(default_factory=list)

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
        return self.memories[: query.limit]


class FakeEventStream:
    """A stream without events."""

    async def now(self) -> StreamCursor:
        return StreamCursor(1)

    async def read(
        self, project_id: str, scope: Scope, after: StreamCursor, limit: int
    ) -> StreamPage:
        return StreamPage([], after, is_last=True, is_held_back=False)
