"""Liveness and readiness of a real server, and the reasons that it logs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from server.api.grpc.health import MOST_HEALTH_WATCHES
from server.core.values import Neo4jAddress
from tests.support.errors import details_of
from tests.support.server import ServerProcess, external_environment, run_command

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
READINESS = "memoir.v1.MemoryService"
CHANGE_SECONDS = 20.0


@pytest_asyncio.fixture
async def unmigrated(
    empty_postgres_dsn: str, neo4j_address: Neo4jAddress, tmp_path: Path
) -> AsyncIterator[ServerProcess]:
    """A server on a database without a schema."""
    log = tmp_path / "server.log"
    log.touch()
    server = ServerProcess(external_environment(empty_postgres_dsn, neo4j_address), log)
    await server.start()
    yield server
    await server.stop()


async def test_a_server_without_a_schema_is_alive_and_says_what_to_run(
    unmigrated: ServerProcess,
) -> None:
    async with grpc.aio.insecure_channel(unmigrated.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        alive = await health.Check(health_pb2.HealthCheckRequest(service=""))
        ready = await health.Check(health_pb2.HealthCheckRequest(service=READINESS))
        assert (alive.status, ready.status) == (SERVING, NOT_SERVING)
        assert "python -m server migrate" in unmigrated.log

        watch = health.Watch(health_pb2.HealthCheckRequest(service=READINESS))
        assert (await watch.read()).status == NOT_SERVING
        await run_command("migrate", environment=unmigrated.environment)
        changed = await asyncio.wait_for(watch.read(), CHANGE_SECONDS)
        assert changed.status == SERVING
        watch.cancel()


async def test_an_open_watch_does_not_delay_the_end(unmigrated: ServerProcess) -> None:
    async with grpc.aio.insecure_channel(unmigrated.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=""))
        assert (await watch.read()).status == SERVING
        started = asyncio.get_running_loop().time()
        assert await unmigrated.stop() == 0
        # The grace period for calls is 20 s, but the server does not wait for a watch.
        assert asyncio.get_running_loop().time() - started < 10


async def test_watches_without_a_key_are_bounded(unmigrated: ServerProcess) -> None:
    options = [("grpc.use_local_subchannel_pool", 1)]
    request = health_pb2.HealthCheckRequest(service="")
    async with (
        grpc.aio.insecure_channel(unmigrated.address, options=options) as channel,
        grpc.aio.insecure_channel(unmigrated.address, options=options) as other,
    ):
        watches = [
            health_pb2_grpc.HealthStub(channel).Watch(request) for _ in range(MOST_HEALTH_WATCHES)
        ]
        for watch in watches:
            assert (await watch.read()).status == SERVING
        health = health_pb2_grpc.HealthStub(other)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await health.Watch(request).read()
        assert details_of(refused.value).reason == "OVERLOADED"
        assert (await health.Check(request)).status == SERVING
