"""A rolling update: what Kubernetes does to pods, done to processes while clients call them.

A new pod starts beside the old ones. Once its readiness probe succeeds, one of the old pods gets
SIGTERM and its grace period. The clients know the addresses of all pods from the beginning and are
never told that one is about to go, which is the worst that a stale answer of DNS can do.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias

import grpc
import memoir
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from memoir.v1 import memory_pb2, memory_service_pb2, memory_service_pb2_grpc

from server.embedded.neo4j_home import free_port
from tests.support.processes import eventually
from tests.support.server import Home, ServerProcess, key_of

READINESS = health_pb2.HealthCheckRequest(service="memoir.v1.MemoryService")
PODS = 2
CALLERS = 4
DELAY_SECONDS = 3
READY_SECONDS = 90.0
CALL_SECONDS = 30.0
USER = "alice"

Add: TypeAlias = Callable[[str], Awaitable[str]]
"""Adds a text and answers the id of its memory."""


@asynccontextmanager
async def own_client(addresses: Sequence[str], key: str) -> AsyncIterator[Add]:
    """The Python client, which retries on other servers."""
    async with memoir.AsyncClient(target(addresses), key, timeout=CALL_SECONDS) as client:

        async def add(text: str) -> str:
            result = await client.add(text, user_id=USER, infer=False)
            return result[0].id

        yield add


@asynccontextmanager
async def watching_client(addresses: Sequence[str], key: str) -> AsyncIterator[Add]:
    """A gRPC client that never retries, but watches the health of each server."""
    config = {
        "loadBalancingConfig": [{"round_robin": {}}],
        "healthCheckConfig": {"serviceName": READINESS.service},
        "methodConfig": [],
    }
    options = [
        ("grpc.service_config", json.dumps(config)),
        ("grpc.enable_retries", 0),
        ("grpc.max_reconnect_backoff_ms", 1000),
    ]
    async with grpc.aio.insecure_channel(target(addresses), options) as channel:
        stub = memory_service_pb2_grpc.MemoryServiceStub(channel)

        async def add(text: str) -> str:
            response = await stub.AddMemories(
                memory_service_pb2.AddMemoriesRequest(
                    user_id=USER,
                    infer=False,
                    messages=[memory_pb2.Message(role="user", content=text)],
                ),
                metadata=(("authorization", f"Token {key}"),),
                timeout=CALL_SECONDS,
                wait_for_ready=True,
            )
            return response.results[0].id

        yield add


def target(addresses: Sequence[str]) -> str:
    """All addresses, as a headless service resolves to them."""
    return f"ipv4:{','.join(addresses)}"


class Callers:
    """Clients that add without a pause, and what was answered."""

    def __init__(self, add: Add) -> None:
        self._add = add
        self._stopping = False
        self.acknowledged: set[str] = set()

    async def call(self, number: int) -> None:
        """Adds until `stop`. Any failure ends the test."""
        count = 0
        while not self._stopping:
            count += 1
            self.acknowledged.add(await self._add(f"Caller {number} says sentence {count}."))

    def stop(self) -> None:
        """Lets the callers finish their calls."""
        self._stopping = True

    async def progress(self) -> None:
        """Returns once calls have been answered that began after this one."""
        wanted = len(self.acknowledged) + 2 * CALLERS

        async def reached() -> bool:
            return len(self.acknowledged) >= wanted

        await eventually(reached, READY_SECONDS, "calls that are answered")


async def is_ready(address: str) -> bool:
    """What the readiness probe finds."""
    async with grpc.aio.insecure_channel(address) as channel:
        try:
            answer = await health_pb2_grpc.HealthStub(channel).Check(READINESS, timeout=2)
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def start_ready(pod: ServerProcess) -> None:
    """Starts a pod and waits until its probe succeeds."""
    await pod.start()
    await eventually(lambda: is_ready(pod.address), READY_SECONDS, "a pod that is ready")


@pytest.mark.parametrize("client", [own_client, watching_client])
async def test_a_rolling_update_fails_no_call(
    home: Home,
    client: Callable[[Sequence[str], str], AbstractAsyncContextManager[Add]],
) -> None:
    ports = [free_port() for _ in range(2 * PODS)]
    pods = [
        home.server(
            MEMOIR_GRPC_PORT=str(port),
            MEMOIR_GRPC_DRAIN_DELAY=str(DELAY_SECONDS),
            MEMOIR_GRPC_DRAIN_SECONDS="20",
        )
        for port in ports
    ]
    old, new = pods[:PODS], pods[PODS:]
    for pod in old:
        await start_ready(pod)
    key = await key_of(home)
    async with client([f"127.0.0.1:{port}" for port in ports], key) as add:
        callers = Callers(add)
        async with asyncio.TaskGroup() as group:
            for number in range(CALLERS):
                group.create_task(callers.call(number))
            await callers.progress()
            for leaving, coming in zip(old, new, strict=True):
                await start_ready(coming)
                # A pod that outlives its grace period would be killed: `stop` fails then.
                assert await leaving.stop() == 0
                await callers.progress()
            callers.stop()
    async with memoir.AsyncClient(new[0].address, key) as reader:
        stored = {memory.id async for memory in reader.list(user_id=USER)}
    assert callers.acknowledged <= stored
    for pod in new:
        assert await pod.stop() == 0
