"""One project uses all its means to keep another one out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import grpc
import pytest
from google.protobuf import json_format, struct_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from memoir.v1 import memory_pb2, memory_service_pb2

from tests.support import operations
from tests.support.api import add
from tests.support.errors import details_of
from tests.support.server import Client, Home, connected, key_of, key_of_new

Watched: TypeAlias = grpc.aio.UnaryStreamCall[
    memory_service_pb2.WatchMemoryEventsRequest, memory_service_pb2.WatchMemoryEventsResponse
]
READINESS = health_pb2.HealthCheckRequest(service="memoir.v1.MemoryService")
STREAMS = 8
LONG_TEXTS = 1000
QUEUED = 400
SLOW_FILTER = json_format.ParseDict(
    {"OR": [{"text": {"icontains": f"{number} is in no text"}} for number in range(16)]},
    struct_pb2.Struct(),
)


@asynccontextmanager
async def clients(home: Home, **variables: str) -> AsyncIterator[tuple[Client, Client]]:
    """A hostile and a quiet client of a server of their own."""
    server = home.server(**variables)
    await server.start()
    async with (
        connected(server.address, await key_of(home)) as hostile,
        connected(server.address, await key_of_new(home)) as quiet,
    ):
        yield hostile, quiet
    assert await server.stop() == 0


def watch(client: Client) -> Watched:
    return client.memory.WatchMemoryEvents(
        memory_service_pb2.WatchMemoryEventsRequest(user_id="alice"),
        metadata=client.metadata,
        timeout=60,
    )


async def test_streams_of_one_project_leave_some_to_another(home: Home) -> None:
    async with clients(home, MEMOIR_ADMISSION_STREAMS=str(STREAMS)) as (hostile, quiet):
        streams = [watch(hostile) for _ in range(STREAMS * 3 // 4)]
        for stream in streams:
            await stream.read()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await watch(hostile).read()
        assert details_of(refused.value).reason == "OVERLOADED"
        mine = watch(quiet)
        first = await mine.read()
        assert isinstance(first, memory_service_pb2.WatchMemoryEventsResponse)
        for stream in (*streams, mine):
            stream.cancel()


async def test_a_long_queue_of_one_project_takes_turns_with_another(home: Home) -> None:
    idle = home.server(MEMOIR_OPERATIONS_CONCURRENCY="0")
    await idle.start()
    async with (
        connected(idle.address, await key_of(home)) as hostile,
        connected(idle.address, await key_of_new(home)) as quiet,
    ):
        many = [
            await operations.add(hostile, f"user-{number}", "I run.", infer=False, async_mode=True)
            for number in range(QUEUED)
        ]
        one = await operations.add(quiet, "alice", "I swim.", infer=False, async_mode=True)
        working = home.server()
        await working.start()
        done = await operations.wait(quiet, one.operation.name)
        assert done.done
        # If only age decided, everything that was queued first would be done by now.
        last = [await operations.get(hostile, answer.operation.name) for answer in many[-100:]]
        assert not any(operation.done for operation in last)
        assert await working.stop() == 0
    assert await idle.stop() == 0


async def test_slow_filters_of_one_project_fail_no_call_of_another(home: Home) -> None:
    async with clients(home) as (hostile, quiet):
        await add_long_texts(hostile)
        listing = [asyncio.create_task(list_slowly(hostile)) for _ in range(48)]
        health = health_pb2_grpc.HealthStub(quiet.channel)
        try:
            for number in range(20):
                await add(quiet, "alice", f"number {number}", infer=False)
                request = memory_service_pb2.SearchMemoriesRequest(user_id="alice", query="number")
                assert (
                    await quiet.memory.SearchMemories(request, metadata=quiet.metadata, timeout=20)
                ).results
                ready = await health.Check(READINESS, timeout=20)
                assert ready.status == health_pb2.HealthCheckResponse.SERVING
            assert not any(task.done() for task in listing)
        finally:
            for task in listing:
                task.cancel()
            await asyncio.gather(*listing, return_exceptions=True)


async def add_long_texts(client: Client) -> None:
    for _ in range(LONG_TEXTS // 100):
        request = memory_service_pb2.AddMemoriesRequest(user_id="bob", infer=False)
        for number in range(100):
            text = f"{number} " + "words that nobody looks for " * 100
            request.messages.append(memory_pb2.Message(role="user", content=text))
        await client.memory.AddMemories(request, metadata=client.metadata, timeout=60)


async def list_slowly(client: Client) -> None:
    """Lists with a slow filter repeatedly, and ignores refusals."""
    request = memory_service_pb2.ListMemoriesRequest(user_id="bob", filters=SLOW_FILTER)
    while True:
        try:
            await client.memory.ListMemories(request, metadata=client.metadata, timeout=60)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise
            retry_after = details_of(error).retry_after
            assert retry_after is not None
            await asyncio.sleep(retry_after.total_seconds())
