"""What is away shows in the metrics, the statistics and the log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc
import pytest

from server.embedded import EmbeddedPostgres
from server.embedded.neo4j import EmbeddedNeo4j, Neo4jAddress
from tests.end_to_end.test_statistics import add, metrics_of, statistics_of
from tests.faults.test_crashes import at, own_neo4j, own_postgres
from tests.support import gemini_faults
from tests.support.errors import details_of
from tests.support.gemini_endpoint import GeminiEndpoint
from tests.support.gemini_server import API_KEY
from tests.support.processes import eventually
from tests.support.server import Client, Home, ServerProcess, connected, key_of, make_home

__all__ = ["own_neo4j", "own_postgres"]

PATIENCE_SECONDS = 40.0


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


async def refusal(call: Callable[[], Awaitable[None]]) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call()
    return details_of(caught.value).reason


async def test_a_neo4j_that_is_away(home: Home, own_neo4j: EmbeddedNeo4j) -> None:
    server = at(home, await own_neo4j.start(), MEMOIR_METRICS_PORT="0")
    async with serving(home, server) as client:
        await shows(server, 'memoir_dependency_up{dependency="neo4j"} 1.0')
        await own_neo4j.stop()
        await add(client, "I work at Acme.", "during-the-fault")
        await shows(server, 'memoir_dependency_up{dependency="neo4j"} 0.0')
        await shows(server, "memoir_graph_outbox_pending 1.0")

        async def is_told() -> bool:
            found = (await statistics_of(client)).graph
            return not found.available and found.pending > 0

        await eventually(is_told, PATIENCE_SECONDS, "the statistics of the graph")
    assert '"error": "GraphUnavailable"' in server.log


async def test_a_postgresql_that_is_away(
    own_postgres: EmbeddedPostgres, neo4j_address: Neo4jAddress, home: Home
) -> None:
    of_its_own = await make_home(own_postgres.dsn, neo4j_address, home.directory)
    server = of_its_own.server(MEMOIR_METRICS_PORT="0")
    async with serving(of_its_own, server) as client:
        await add(client, "I work at Acme.")
        await shows(server, 'memoir_dependency_up{dependency="postgresql"} 1.0')
        await own_postgres.stop()
        assert await refusal(lambda: add(client, "I like tea.")) == "STORE_UNAVAILABLE"
        await shows(server, 'memoir_dependency_up{dependency="postgresql"} 0.0')
        await shows(server, 'rpc_response_status_code="UNAVAILABLE"')
    assert '"event": "postgres.unavailable"' in server.log


async def test_a_model_that_is_away(home: Home, gemini: GeminiEndpoint) -> None:
    server = home.server(
        MEMOIR_MODELS="gemini",
        GEMINI_API_KEY=API_KEY,
        MEMOIR_GEMINI_BASE_URL=gemini.base_url,
        MEMOIR_METRICS_PORT="0",
    )
    gemini.fail("generateContent", gemini_faults.status(503, "UNAVAILABLE"), times=20)
    async with serving(home, server) as client:
        assert await refusal(lambda: add(client, "I work at Acme.")) == "MODEL_UNAVAILABLE"
        models = (await statistics_of(client)).since_start.models
        assert [model.failures > 0 for model in models if "embedding" not in model.model] == [True]
        await shows(server, 'memoir_model_retries_total{model="gemini/gemini-3.5-flash"} 3.0')
    assert '"event": "gemini.given_up"' in server.log
