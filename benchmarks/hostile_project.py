"""A hostile project; `benchmarks.hostile` runs it beside a quiet one.

python -m benchmarks.hostile_project KIND ADDRESS KEY

It is a separate process, so that its work delays the quiet callers only through the server.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, TypeAlias

import grpc
import uvloop
from google.protobuf import json_format, struct_pb2
from memoir.v1 import memory_pb2, memory_service_pb2, memory_service_pb2_grpc

from benchmarks.cases import sentence

Metadata = tuple[tuple[str, str], ...]
Act: TypeAlias = Callable[["Hostile"], Awaitable[None]]

USER = "hostile"
TEXTS = 1000
LISTERS, WATCHERS, WRITERS, SEARCHERS, ADDERS = 32, 64, 16, 32, 64
_WATCH = "/memoir.v1.MemoryService/WatchMemoryEvents"
_PADDING = "words that nobody looks for " * 100
_SLOW_FILTER = json_format.ParseDict(
    {"OR": [{"text": {"icontains": f"{number} is in no text"}} for number in range(16)]},
    struct_pb2.Struct(),
)


class Hostile:
    """The calls of the hostile project."""

    def __init__(self, channel: grpc.aio.Channel, key: str) -> None:
        self._stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
        # It does not parse responses: sending them is enough to keep the server busy.
        self._events: grpc.aio.UnaryStreamMultiCallable[
            memory_service_pb2.WatchMemoryEventsRequest, bytes
        ] = channel.unary_stream(
            _WATCH, memory_service_pb2.WatchMemoryEventsRequest.SerializeToString
        )
        self._metadata = (("authorization", f"Token {key}"),)
        self._numbers = itertools.count()

    async def list(self) -> None:
        """Lists with a filter that no index serves."""
        request = memory_service_pb2.ListMemoriesRequest(user_id=USER, filters=_SLOW_FILTER)
        await self._stub.ListMemories(request, metadata=self._metadata)

    async def watch(self) -> None:
        """Watches the adds of the project's writers."""
        request = memory_service_pb2.WatchMemoryEventsRequest(user_id=USER)
        async for _ in self._events(request, metadata=self._metadata):
            pass

    async def add(self, count: int = 20) -> None:
        """Adds `count` long texts."""
        numbers = itertools.islice(self._numbers, count)
        await self._add_texts(f"{sentence(number)} {_PADDING}" for number in numbers)

    async def add_short(self) -> None:
        """Adds one short text."""
        await self._add_texts([sentence(next(self._numbers))])

    async def search(self) -> None:
        """Searches all texts of the project's user."""
        query = sentence(next(self._numbers) % TEXTS)
        request = memory_service_pb2.SearchMemoriesRequest(user_id=USER, query=query)
        await self._stub.SearchMemories(request, metadata=self._metadata)

    async def _add_texts(self, texts: Iterable[str]) -> None:
        messages = [memory_pb2.Message(role="user", content=text) for text in texts]
        request = memory_service_pb2.AddMemoriesRequest(
            user_id=USER, infer=False, messages=messages
        )
        await self._stub.AddMemories(request, metadata=self._metadata)


KINDS: Final[Mapping[str, Mapping[Act, int]]] = {
    "filters": {Hostile.list: LISTERS},
    "writers": {Hostile.add: WRITERS},
    "writers, watchers": {Hostile.add: WRITERS, Hostile.watch: WATCHERS},
    "searchers": {Hostile.search: SEARCHERS},
    "adders": {Hostile.add_short: ADDERS},
    "all three": {Hostile.add: WRITERS, Hostile.watch: WATCHERS, Hostile.list: LISTERS},
}
"""The number of concurrent callers by call, for each kind of load."""


async def repeat(act: Act, hostile: Hostile) -> None:
    """Repeats the call, almost without waiting after a refusal."""
    while True:
        try:
            await act(hostile)
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0.01)


async def main() -> None:
    """Runs the callers until it is stopped."""
    kind, address, key = sys.argv[1:]
    async with grpc.aio.insecure_channel(address) as channel:
        hostile = Hostile(channel, key)
        acts = (act for act, callers in KINDS[kind].items() for _ in range(callers))
        await asyncio.gather(*(repeat(act, hostile) for act in acts))


if __name__ == "__main__":
    uvloop.run(main())
