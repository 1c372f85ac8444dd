"""A hostile project, beside the one whose calls are recorded."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias
from uuid import uuid4

import grpc
from google.protobuf import json_format, struct_pb2
from memoir.v1 import memory_pb2, memory_service_pb2

from tests.support.server import Client, connected

Call: TypeAlias = Callable[[Client], Awaitable[None]]

SECONDS: Final = 3.0
_READERS, _WATCHERS, _WRITERS = 32, 64, 16
_SLOW_FILTER: Final = json_format.ParseDict(
    {"OR": [{"text": {"icontains": f"{number} is in no text"}} for number in range(16)]},
    struct_pb2.Struct(),
)


async def be_hostile(address: str, key: str) -> Counter[str]:
    """Lists with filters that no index serves, watches, and adds long texts, all without pause.

    Returns the number of calls by status code.
    """
    ends: Counter[str] = Counter()
    async with connected(address, key) as client:
        tasks = [
            asyncio.create_task(_repeat(call, client, ends))
            for call, callers in ((_list, _READERS), (_watch, _WATCHERS), (_add, _WRITERS))
            for _ in range(callers)
        ]
        await asyncio.sleep(SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return ends


async def _repeat(call: Call, client: Client, ends: Counter[str]) -> None:
    while True:
        try:
            await call(client)
            ends["OK"] += 1
        except grpc.aio.AioRpcError as error:
            ends[error.code().name] += 1
            # The client ignores RetryInfo, and only yields to other tasks.
            await asyncio.sleep(0.01)


async def _list(client: Client) -> None:
    request = memory_service_pb2.ListMemoriesRequest(user_id="hostile", filters=_SLOW_FILTER)
    await client.memory.ListMemories(request, metadata=client.metadata, timeout=SECONDS)


async def _watch(client: Client) -> None:
    request = memory_service_pb2.WatchMemoryEventsRequest(user_id="hostile")
    async for _ in client.memory.WatchMemoryEvents(
        request, metadata=client.metadata, timeout=SECONDS
    ):
        pass


async def _add(client: Client) -> None:
    request = memory_service_pb2.AddMemoriesRequest(user_id="hostile", infer=False)
    for _ in range(20):
        text = f"{uuid4()} " + "words that nobody looks for " * 100
        request.messages.append(memory_pb2.Message(role="user", content=text))
    await client.memory.AddMemories(request, metadata=client.metadata, timeout=SECONDS)
