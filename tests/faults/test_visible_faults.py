"""Unavailable dependencies show in the metrics, the statistics, the log and the alerts."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from memoir.v1 import memory_service_pb2

from server.core.values import Neo4jAddress
from server.embedded import EmbeddedPostgres
from tests.support import gemini_faults
from tests.support.alerting import assert_alert
from tests.support.errors import details_of
from tests.support.gemini_endpoint import GeminiEndpoint
from tests.support.gemini_server import API_KEY
from tests.support.measurements import add, metrics_of, statistics_of
from tests.support.own_databases import Neo4jRoute, at
from tests.support.processes import eventually
from tests.support.server import Client, Home, ServerProcess, connected, key_of, make_home

PATIENCE_SECONDS = 40.0
_FAILED_CALLS = re.compile(
    r"""^rpc_server_call_duration_seconds_count{[^}]*status_code="UNAVAILABLE"[^}]*} (\S+)""",
    re.MULTILINE,
)


@asynccontextmanager
async def serving(home: Home, server: ServerProcess) -> AsyncIterator[Client]:
    """A client of a server that runs during the block."""
    await server.start()
    try:
        async with connected(server.address, await key_of(home)) as client:
            yield client
    finally:
        await server.stop()


async def shows(process: ServerProcess, line: str) -> None:
    async def is_shown() -> bool:
        return line in await metrics_of(process)

    await eventually(is_shown, PATIENCE_SECONDS, line)


async def after_failed_calls(process: ServerProcess, count: int) -> str:
    """The metrics, once this many calls are counted, which happens after their responses."""

    async def are_counted() -> bool:
        return sum(map(float, _FAILED_CALLS.findall(await metrics_of(process)))) >= count

    await eventually(are_counted, PATIENCE_SECONDS, f"{count} failed calls")
    return await metrics_of(process)


async def refusal(call: Callable[[], Awaitable[None]]) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call()
    return details_of(caught.value).reason


async def test_an_unavailable_neo4j_is_visible(
    home: Home, neo4j_route: Neo4jRoute, tmp_path: Path
) -> None:
    server = at(home, neo4j_route.address, MEMOIR_METRICS_PORT="0")
    async with serving(home, server) as client:
        await shows(server, 'memoir_dependency_up{dependency="neo4j"} 1.0')
        well = await metrics_of(server)
        await neo4j_route.cut()
        await add(client, "I work at Acme.", "during-the-fault")
        await shows(server, 'memoir_dependency_up{dependency="neo4j"} 0.0')
        await shows(server, "memoir_graph_outbox_pending 1.0")

        async def is_shown_in_the_statistics() -> bool:
            found = (await statistics_of(client)).graph
            return not found.available and found.pending > 0

        await eventually(
            is_shown_in_the_statistics, PATIENCE_SECONDS, "the statistics of the graph"
        )
        away = await metrics_of(server)
    await assert_alert("MemoirNeo4jUnavailable", well, fires=False, folder=tmp_path)
    await assert_alert("MemoirNeo4jUnavailable", well, away, fires=True, folder=tmp_path)
    await assert_alert("MemoirPostgresUnavailable", well, away, fires=False, folder=tmp_path)
    assert '"error":"GraphUnavailable"' in server.log


async def test_an_unavailable_postgresql_is_visible(
    own_postgres: EmbeddedPostgres, neo4j_address: Neo4jAddress, home: Home, tmp_path: Path
) -> None:
    of_its_own = await make_home(own_postgres.dsn, neo4j_address, home.directory)
    server = of_its_own.server(MEMOIR_METRICS_PORT="0")
    async with serving(of_its_own, server) as client:
        await add(client, "I work at Acme.")
        await shows(server, 'memoir_dependency_up{dependency="postgresql"} 1.0')
        well = await metrics_of(server)
        await own_postgres.stop()
        assert await refusal(lambda: add(client, "I like tea.")) == "STORE_UNAVAILABLE"
        await shows(server, 'memoir_dependency_up{dependency="postgresql"} 0.0')
        await shows(server, 'rpc_response_status_code="UNAVAILABLE"')
        away = await metrics_of(server)
        assert await refusal(lambda: add(client, "I like tea.")) == "STORE_UNAVAILABLE"
        later = await after_failed_calls(server, 2)
    for alert in "MemoirPostgresUnavailable", "MemoirCallsFail":
        await assert_alert(alert, well, fires=False, folder=tmp_path)
        await assert_alert(alert, well, away, later, fires=True, folder=tmp_path)
    await assert_alert("MemoirNeo4jUnavailable", well, away, fires=False, folder=tmp_path)
    # Regardless of the number of calls in the meantime.
    assert 1 <= server.log.count('"event":"postgres.unavailable"') <= 4
    assert 1 <= server.log.count('"event":"operations.waiting"') <= 4


def on(gemini: GeminiEndpoint, home: Home) -> ServerProcess:
    return home.server(
        MEMOIR_MODELS="gemini",
        GEMINI_API_KEY=API_KEY,
        MEMOIR_GEMINI_BASE_URL=gemini.base_url,
        MEMOIR_METRICS_PORT="0",
    )


async def test_an_unavailable_model_is_visible(
    home: Home, gemini: GeminiEndpoint, tmp_path: Path
) -> None:
    server = on(gemini, home)
    async with serving(home, server) as client:
        await add(client, "I like tea.")
        well = await metrics_of(server)
        gemini.fail("generateContent", gemini_faults.status(503, "UNAVAILABLE"), times=20)
        assert await refusal(lambda: add(client, "I work at Acme.")) == "MODEL_UNAVAILABLE"
        models = (await statistics_of(client)).since_start.models
        assert [model.failures > 0 for model in models if "embedding" not in model.model] == [True]
        await shows(server, 'memoir_model_retries_total{model="gemini/gemini-3.5-flash"} 3.0')
        away = await metrics_of(server)
        assert await refusal(lambda: add(client, "I work at Acme.")) == "MODEL_UNAVAILABLE"
        later = await metrics_of(server)
    await assert_alert("MemoirModelFails", well, fires=False, folder=tmp_path)
    await assert_alert("MemoirModelFails", well, away, later, fires=True, folder=tmp_path)
    assert '"event":"gemini_call.given_up"' in server.log


async def test_an_exhausted_quota_is_visible(
    home: Home, gemini: GeminiEndpoint, tmp_path: Path
) -> None:
    server = on(gemini, home)
    gemini.fail("generateContent", gemini_faults.quota(retry_after=3600), times=20)
    async with serving(home, server) as client:
        well = await metrics_of(server)
        request = memory_service_pb2.AddMemoriesRequest(user_id="alice", async_mode=True)
        request.messages.add(role="user", content="I work at Acme.")
        await client.memory.AddMemories(request, metadata=client.metadata)
        await shows(server, 'memoir_operation_attempts_total{outcome="quota_exhausted"} 1.0')
        parked = await metrics_of(server)
    await assert_alert("MemoirModelQuotaExhausted", well, fires=False, folder=tmp_path)
    await assert_alert("MemoirModelQuotaExhausted", well, parked, fires=True, folder=tmp_path)
    await assert_alert("MemoirOperationsGivenUp", well, parked, fires=False, folder=tmp_path)
    assert '"event":"operation.attempt_failed"' in server.log
