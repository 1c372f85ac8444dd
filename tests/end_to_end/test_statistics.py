"""Statistics and metrics of a running server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from memoir.v1 import memory_service_pb2, statistics_service_pb2

from server.runtime.composition.commands import open_administration
from tests.support.measurements import add, metrics_of, statistics_of
from tests.support.outbox import outbox_empties
from tests.support.processes import eventually
from tests.support.server import (
    PATIENT_POSTGRES,
    Client,
    Home,
    ServerProcess,
    connected,
    key_of,
)

ADD, SEARCH = "memoir.v1.MemoryService/AddMemories", "memoir.v1.MemoryService/SearchMemories"


@pytest.fixture
async def measured(home: Home) -> AsyncIterator[tuple[ServerProcess, Client]]:
    """A server of the test's own, which serves its metrics."""
    process = home.server(MEMOIR_METRICS_PORT="0")
    await process.start()
    async with connected(process.address, await key_of(home)) as client:
        yield process, client
    await process.stop()


async def test_a_projects_calls_show_in_its_statistics(
    measured: tuple[ServerProcess, Client],
) -> None:
    _, client = measured
    await add(client, "I work at Acme and I live in Oslo.")
    await client.memory.SearchMemories(
        memory_service_pb2.SearchMemoriesRequest(user_id="alice", query="Where does Alice work?"),
        metadata=client.metadata,
    )
    found = await statistics_of(client)
    for window in (found.last_minute, found.last_hour, found.since_start):
        methods = {method.method: method for method in window.methods}
        assert dict(methods[ADD].requests_by_status) == {"OK": 1}
        assert methods[SEARCH].latency.count == 1
        assert 0 < methods[ADD].latency.p50_ms <= methods[ADD].latency.p99_ms
        stages = {stage.stage for stage in window.stages}
        assert {"embed", "infer", "commit", "search", "turn"} <= stages
        assert {model.model.partition("/")[0] for model in window.models} == {"offline"}
        assert {arm.arm for arm in window.search_arms} >= {"dense", "lexical"}
        assert window.memories_added == found.store.memories > 0
        assert "added-1" in {slow.correlation_id for slow in window.slowest_requests}
    assert (found.store.scopes, found.store.messages) == (1, 1)
    assert found.pool.max_size == 16
    assert found.start_time.ToDatetime() < found.time.ToDatetime()


async def test_the_graph_is_counted_once_it_follows(
    measured: tuple[ServerProcess, Client], home: Home
) -> None:
    _, client = measured
    await add(client, "I work at Acme.")
    # Contents are counted every ten seconds, and the first count should include everything.
    await outbox_empties(home.postgres_dsn, 30)

    async def is_projected() -> bool:
        found = await statistics_of(client)
        return found.graph.available and found.store.relations > 0 and not found.graph.pending

    await eventually(is_projected, 30, "the graph's counts")


async def test_projects_see_only_their_own_statistics(
    measured: tuple[ServerProcess, Client], home: Home
) -> None:
    _, client = measured
    await add(client, "I work at Acme.")
    async with open_administration(home.postgres_dsn, PATIENT_POSTGRES) as administration:
        await administration.create_project("other", "default")
        _, key = await administration.create_key(project_id="other", org_id=None, label="t")
    async with connected(client.address, key) as other:
        found = await statistics_of(other)
    assert not found.since_start.methods
    assert (found.store.memories, found.last_hour.memories_added) == (0, 0)


async def test_watching_sends_statistics_repeatedly(
    measured: tuple[ServerProcess, Client],
) -> None:
    process, client = measured
    request = statistics_service_pb2.WatchStatisticsRequest()
    request.interval.FromMilliseconds(100)
    stream = client.statistics.WatchStatistics(request, metadata=client.metadata)
    iterator = aiter(stream)
    first, second = await anext(iterator), await anext(iterator)
    assert first.statistics.time.ToDatetime() < second.statistics.time.ToDatetime()
    stream.cancel()
    # The stream does not delay the end of the server.
    assert await process.stop() == 0


async def test_prometheus_reads_what_happened(measured: tuple[ServerProcess, Client]) -> None:
    process, client = measured
    await add(client, "I work at Acme.")

    async def is_sampled() -> bool:
        return 'memoir_dependency_up{dependency="neo4j"} 1.0' in await metrics_of(process)

    await eventually(is_sampled, 20, "the sample")
    text = await metrics_of(process)
    assert f'rpc_method="{ADD}",rpc_response_status_code="OK"' in text
    assert 'memoir_stage_duration_seconds_count{stage="commit"} 1.0' in text
    assert 'memoir_dependency_up{dependency="postgresql"} 1.0' in text
    assert "memoir_postgres_pool_limit 16.0" in text
    for secret in (client.key, "alice", "Acme"):
        assert secret not in text
