"""The cost of watching memories hardly depends on the number of watchers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from memoir.v1 import memory_service_pb2

from server.api.grpc.convert.tokens import Tokens
from server.api.grpc.interceptors.access import enter_caller
from server.api.grpc.services.memory_changes import MemoryChanges
from server.memories.history.events import WatchMemoryEventsCommand
from server.memories.memory import EventType, MemoryEvent, StreamCursor
from server.memories.queries import StreamedEvent
from server.projects.project import Caller
from tests.support.builders import NOW, addition, call

WATCHERS = 3


def streamed(text: str) -> StreamedEvent:
    memory = addition(call(), text).memory
    event = MemoryEvent(memory.id, EventType.ADD, 1, NOW, None, memory, memory.provenance)
    return StreamedEvent(event, StreamCursor(1, 1, 0, memory.id, 1))


def service(*events: StreamedEvent) -> MemoryChanges:
    """Returns a service that streams these events to all watchers."""

    async def watch(_command: WatchMemoryEventsCommand) -> AsyncIterator[StreamedEvent]:
        for event in events:
            yield event

    async def key() -> bytes:
        return AESSIV.generate_key(512)

    use_cases: Any = SimpleNamespace(watch=watch)
    return MemoryChanges(use_cases, Tokens(key))


async def watched(of: MemoryChanges) -> list[memory_service_pb2.WatchMemoryEventsResponse]:
    enter_caller(Caller("key", "org", "project"))
    request = memory_service_pb2.WatchMemoryEventsRequest(user_id="alice")
    return [response async for response in of.WatchMemoryEvents(request, None)]


async def test_an_event_is_converted_once_for_all_watchers() -> None:
    of = service(streamed("one"), streamed("two"))
    seen = await asyncio.gather(*(watched(of) for _ in range(WATCHERS)))
    assert [response.event.after.text for response in seen[0]] == ["one", "two"]
    assert all(
        mine is first for others in seen for mine, first in zip(others, seen[0], strict=True)
    )
