"""Misbehaving clients leak nothing: cancelled calls, unread events, idle connections."""

from __future__ import annotations

import asyncio
import random
import re
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import grpc
import psutil
import pytest
import pytest_asyncio
from memoir.v1 import memory_service_pb2

from tests.support.api import add, listed
from tests.support.measurements import metrics_of
from tests.support.processes import eventually
from tests.support.seeds import seed_of
from tests.support.server import Client, Home, ServerProcess, connected, key_of

CANCELLED = 2_000
AT_ONCE = 50
UNREAD_STREAMS = 200
UNREAD_EVENTS = 1_500
EVENT_TEXT = "what is said here is not read by those who asked for it " * 20
IDLE_CONNECTIONS = 10_000
SPARE_FILES = 500
MEBIBYTE = 1 << 20
PATIENCE_SECONDS = 60.0
# The beginning of HTTP/2, as a client sends it: https://www.rfc-editor.org/rfc/rfc9113#section-3.4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")


@pytest_asyncio.fixture
async def server(home: Home) -> AsyncIterator[ServerProcess]:
    process = home.server(MEMOIR_METRICS_PORT="0")
    await process.start()
    yield process
    await process.stop()


@pytest_asyncio.fixture
async def client(home: Home, server: ServerProcess) -> AsyncIterator[Client]:
    async with connected(server.address, await key_of(home)) as connection:
        yield connection


async def is_idle(server: ServerProcess) -> bool:
    """Whether no call is in progress or waits, and no connection of the pool is in use."""
    text = await metrics_of(server)
    return all(
        re.search(rf'^{metric}{{state="{state}"}} 0\.0$', text, re.MULTILINE)
        for metric, state in (
            ("memoir_admission_calls", "running"),
            ("memoir_admission_calls", "waiting"),
            ("memoir_admission_calls", "parked"),
            ("memoir_postgres_pool_connections", "used"),
        )
    )


def resident(server: ServerProcess) -> int:
    """The resident memory of the server, in bytes."""
    return int(psutil.Process(server.pid).memory_info().rss)


async def test_a_storm_of_cancelled_calls_leaves_nothing_behind(
    server: ServerProcess, client: Client
) -> None:
    chance = random.Random(seed_of("LEAKS_SEED"))
    await add(client, "alice", "I play the cello.")
    at_once = asyncio.Semaphore(AT_ONCE)
    ended: list[grpc.StatusCode] = []

    async def cancelled(number: int) -> None:
        async with at_once:
            call = begun(client, number)
            await asyncio.sleep(chance.random() * 0.05)
            call.cancel()
            ended.append(await call.code())

    await asyncio.gather(*(cancelled(number) for number in range(CANCELLED)))
    assert ended.count(grpc.StatusCode.CANCELLED) > CANCELLED / 10

    async def nothing_is_left() -> bool:
        return await is_idle(server)

    await eventually(nothing_is_left, PATIENCE_SECONDS, "an idle server")
    # The scopes are free too: the next add to any of them does not wait.
    await asyncio.gather(*(add(client, f"user-{n}", "I live in Oslo.") for n in range(10)))
    assert all([await listed(client, f"user-{n}") for n in range(10)])


def begun(client: Client, number: int) -> grpc.aio.UnaryUnaryCall[object, object]:
    """A call that has begun: an add with inference, one without, or a search."""
    if number % 3 == 2:
        search = memory_service_pb2.SearchMemoriesRequest(user_id="alice", query="cello")
        return client.memory.SearchMemories(search, metadata=client.metadata)  # type: ignore[return-value] # of its messages
    request = memory_service_pb2.AddMemoriesRequest(
        user_id=f"user-{number % 10}", infer=number % 3 == 0
    )
    request.messages.add(role="user", content=f"I have {number} books.")
    return client.memory.AddMemories(request, metadata=client.metadata)  # type: ignore[return-value] # as above


async def test_events_that_nobody_reads_do_not_pile_up(
    server: ServerProcess, client: Client
) -> None:
    await add(client, "alice", "the first", infer=False)
    before = resident(server)
    request = memory_service_pb2.WatchMemoryEventsRequest(user_id="alice")
    streams = [
        client.memory.WatchMemoryEvents(request, metadata=client.metadata)
        for _ in range(UNREAD_STREAMS)
    ]
    await asyncio.gather(*(stream.initial_metadata() for stream in streams))
    for begin in range(0, UNREAD_EVENTS, 50):
        texts = [f"{number} {EVENT_TEXT}" for number in range(begin, begin + 50)]
        await add(client, "alice", *texts, infer=False)
    # This much, if each stream kept all of them.
    piled_up = UNREAD_STREAMS * UNREAD_EVENTS * len(EVENT_TEXT)
    assert resident(server) - before < piled_up / 4 + 64 * MEBIBYTE
    for stream in streams:
        stream.cancel()
    assert len(await listed(client, "alice", page_size=10)) == 10


@pytest.fixture
def most_files() -> Iterator[int]:
    """The most files that may be open, here and in a server that is started afterwards."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_many_idle_connections_are_kept(
    most_files: int, server: ServerProcess, client: Client
) -> None:
    count = min(IDLE_CONNECTIONS, most_files - SPARE_FILES)
    if count < IDLE_CONNECTIONS:
        print(f"{count} connections, for no more than {most_files} files may be open here")
    before = resident(server)
    host, _, port = server.address.rpartition(":")
    with ExitStack() as stack:
        for _ in range(count):
            idle = stack.enter_context(socket.create_connection((host, int(port))))
            idle.sendall(PREFACE)
        await add(client, "alice", "I play the cello.", infer=False)
        assert len(await listed(client, "alice")) == 1
        assert resident(server) - before < count * 100 * 1024


async def test_requests_that_are_too_large_are_not_kept(
    server: ServerProcess, client: Client
) -> None:
    async def refused() -> None:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await add(client, "alice", "x" * (20 * MEBIBYTE), infer=False)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

    # Each of gRPC's threads keeps the memory that it once needed, so the first rounds cost more.
    for _ in range(20):
        await refused()
    before = resident(server)
    for _ in range(20):
        await refused()
    assert resident(server) - before < 100 * MEBIBYTE
