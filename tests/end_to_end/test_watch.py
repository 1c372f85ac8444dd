"""Watching memories change over the wire, on two servers of one database."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from memoir.v1 import memory_pb2, memory_service_pb2

from tests.support.api import add, listed
from tests.support.errors import details_of
from tests.support.server import (
    Client,
    Home,
    ServerProcess,
    connected,
    create_key,
    revoke_key,
)
from tests.support.watch import Response, Watch, begin_of

ADD, DELETE = memory_pb2.MemoryEvent.ADD, memory_pb2.MemoryEvent.DELETE


def texts(responses: list[Response]) -> list[str]:
    return [r.event.after.text or r.event.before.text for r in responses]


@pytest_asyncio.fixture
async def other(shared_home: Home, key: str) -> AsyncIterator[tuple[ServerProcess, Client]]:
    """A second server on the databases of the shared one."""
    process = shared_home.server()
    await process.start()
    async with connected(process.address, key) as client:
        yield process, client
    await process.stop()


async def test_events_of_every_server_arrive_once_in_order(
    client: Client, other: tuple[ServerProcess, Client], user: str
) -> None:
    cursor = await begin_of(client, user)
    watch = Watch(other[1], user_id=user, cursor=cursor)
    for n in range(20):
        await add((client, other[1])[n % 2], user, f"number {n}", infer=False)
        await add(client, f"not-{user}", f"number {n}", infer=False)
    received = await watch.next(20)
    assert texts(received) == [f"number {n}" for n in range(20)]

    gone = (await listed(client, user))[0]
    await client.memory.DeleteMemory(
        memory_service_pb2.DeleteMemoryRequest(id=gone.id), metadata=client.metadata
    )
    [deletion] = await watch.next(1)
    assert (deletion.event.type, deletion.event.memory_id) == (DELETE, gone.id)
    assert deletion.event.before.text == gone.text
    watch.cancel()

    # On the other server, from the middle of the events.
    resumed = Watch(client, user_id=user, cursor=received[9].cursor)
    assert await resumed.next(11) == [*received[10:], deletion]
    resumed.cancel()


async def test_a_watcher_that_resumes_at_every_event_sees_all_concurrent_adds(
    client: Client, other: tuple[ServerProcess, Client], user: str
) -> None:
    cursor = await begin_of(client, user)

    few = asyncio.Semaphore(8)

    async def write(n: int) -> None:
        async with few:
            at = (client, other[1])[n % 2]
            await add(at, user, f"number {n}", infer=False, run_id=f"r{n % 7}")

    seen: list[str] = []
    async with asyncio.TaskGroup() as writing:
        for n in range(60):
            writing.create_task(write(n))
        while len(seen) < 60:
            watch = Watch(client, user_id=user, cursor=cursor)
            [response] = await watch.next(1)
            watch.cancel()
            seen += texts([response])
            cursor = response.cursor
    assert sorted(seen) == sorted(f"number {n}" for n in range(60))


async def test_a_stream_ends_with_its_server_and_goes_on_elsewhere(
    client: Client, other: tuple[ServerProcess, Client], user: str
) -> None:
    cursor = await begin_of(client, user)
    watch = Watch(other[1], user_id=user, cursor=cursor)
    await add(client, user, "one", infer=False)
    [one] = await watch.next(1)
    assert await other[0].stop() == 0
    error = details_of(await watch.end())
    assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    assert error.retry_after is not None

    await add(client, user, "two", infer=False)
    resumed = Watch(client, user_id=user, cursor=one.cursor)
    assert texts(await resumed.next(1)) == ["two"]
    resumed.cancel()


@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense",
        base64.urlsafe_b64encode(b'["position","1"]').decode().rstrip("="),
        base64.urlsafe_b64encode(
            b'["event","-1","0","0","00000000-0000-0000-0000-000000000000","0"]'
        )
        .decode()
        .rstrip("="),
    ],
)
async def test_a_cursor_of_something_else_is_refused(
    client: Client, user: str, cursor: str
) -> None:
    error = details_of(await Watch(client, user_id=user, cursor=cursor).end())
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert list(error.violations) == ["cursor"]


async def test_a_stream_ends_soon_after_its_key_is_revoked(
    client: Client, shared_home: Home, user: str
) -> None:
    key = await create_key(shared_home.environment, "--project", "e2e", "--label", "stream")
    async with connected(client.address, key) as holder:
        watch = Watch(holder, user_id=user)
        await watch.next(1)
        await revoke_key(shared_home.environment, "stream")
        error = await watch.end()
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert details_of(error).reason == "API_KEY_INVALID"
