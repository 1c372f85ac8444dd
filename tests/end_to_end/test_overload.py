"""More calls than the server can accept."""

from __future__ import annotations

import asyncio
from collections import Counter

import grpc
import memoir
from grpc_health.v1 import health_pb2, health_pb2_grpc
from memoir.v1 import memory_service_pb2

from tests.support.api import add
from tests.support.server import Client, Home, connected, key_of

CONNECTIONS = 4
SEARCHES = 400
CHECKS = 40


async def test_a_flood_of_one_method_keeps_no_other_waiting(home: Home) -> None:
    server = home.server(MEMOIR_GRPC_MAX_PENDING="1")
    await server.start()
    key = await key_of(home)
    flood: Counter[grpc.StatusCode] = Counter()
    async with connected(server.address, key) as client:
        searching = [asyncio.create_task(search_much(client, flood)) for _ in range(CONNECTIONS)]
        checks = health_pb2_grpc.HealthStub(client.channel)
        for number in range(CHECKS):
            assert (await checks.Check(health_pb2.HealthCheckRequest(), timeout=20)).status
            await add(client, "alice", f"number {number}", infer=False)
        await asyncio.gather(*searching)
        # gRPC itself refuses all but a few of them.
        assert flood[grpc.StatusCode.CANCELLED]
        assert flood[grpc.StatusCode.OK]
        assert set(flood) <= {
            grpc.StatusCode.OK,
            grpc.StatusCode.CANCELLED,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
        }
        request = memory_service_pb2.SearchMemoriesRequest(user_id="alice", query="number 7")
        assert (await client.memory.SearchMemories(request, metadata=client.metadata)).results
    assert await server.stop() == 0


async def test_the_client_tries_what_grpc_refused_again(home: Home) -> None:
    server = home.server(MEMOIR_GRPC_MAX_PENDING="1")
    await server.start()
    retries = memoir.RetryPolicy(attempts=1000, longest_delay=0.5)
    async with (
        connected(server.address, await key_of(home)) as client,
        memoir.AsyncClient(server.address, client.key, retries=retries) as patient,
    ):
        await add(client, "alice", "I swim.", infer=False)
        refused: Counter[grpc.StatusCode] = Counter()
        found, _ = await asyncio.gather(
            asyncio.gather(*(patient.search("swim", user_id="alice") for _ in range(CHECKS))),
            search_much(client, refused),
        )
        assert all(found)
        assert refused[grpc.StatusCode.CANCELLED]
    assert await server.stop() == 0


async def search_much(client: Client, codes: Counter[grpc.StatusCode]) -> None:
    """Sends concurrent searches on a separate connection, and counts their outcomes."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(client.address, options=options) as channel:
        mine = Client(client.address, channel, client.key)

        async def search(number: int) -> None:
            request = memory_service_pb2.SearchMemoriesRequest(
                user_id="alice", query=f"number {number}"
            )
            try:
                await mine.memory.SearchMemories(request, metadata=mine.metadata, timeout=60)
                codes[grpc.StatusCode.OK] += 1
            except grpc.aio.AioRpcError as error:
                codes[error.code()] += 1

        await asyncio.gather(*map(search, range(SEARCHES)))
