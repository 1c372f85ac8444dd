"""A Neo4j that is down, silent or back again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from neo4j import AsyncDriver
from neo4j.exceptions import AuthError, ServiceUnavailable

from server.core.circuit_breaker import BreakerState, CircuitBreaker
from server.core.errors import DeadlineExceeded
from server.core.request_context import RequestContext, enter_request
from server.core.transient_errors import GraphUnavailable
from server.core.values import Neo4jAddress
from server.graph.ports import GraphScope, RelationQuery
from server.storage.neo4j.calls import guarded_call, open_driver
from server.storage.neo4j.graph import Neo4jGraph
from tests.integration.neo4j.contents import expected_contents, read_contents
from tests.integration.neo4j.freezing_proxy import FreezingProxy
from tests.support.subgraphs import ALICE, PROJECT, stating

WORKS = ("Alice", "works_at", "Acme")
QUERY = RelationQuery(GraphScope(PROJECT, ALICE), limit=10)
CALLS: dict[str, Callable[[Neo4jGraph], Awaitable[object]]] = {
    "check": lambda graph: graph.check(),
    "prepare": lambda graph: graph.prepare(),
    "project": lambda graph: graph.project([stating(1, WORKS)]),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_a_port_without_a_server_is_an_unavailable_graph(
    call: Callable[[Neo4jGraph], Awaitable[object]], unused_tcp_port: int
) -> None:
    nobody = Neo4jAddress(f"bolt://127.0.0.1:{unused_tcp_port}", "neo4j", "secret")
    async with open_driver(nobody) as driver:
        began = time.monotonic()
        with pytest.raises(GraphUnavailable) as raised:
            await call(Neo4jGraph(driver, timeout=10.0))
        assert time.monotonic() - began < 6
    assert isinstance(raised.value.__cause__, ServiceUnavailable)


async def test_a_wrong_password_is_an_unavailable_graph(neo4j_address: Neo4jAddress) -> None:
    async with open_driver(replace(neo4j_address, password="wrong")) as driver:
        with pytest.raises(GraphUnavailable) as raised:
            await Neo4jGraph(driver, timeout=10.0).project([stating(1, WORKS)])
    assert isinstance(raised.value.__cause__, AuthError)
    assert "wrong" not in str(raised.value)


@pytest.fixture
async def proxy(neo4j_address: Neo4jAddress) -> AsyncIterator[tuple[FreezingProxy, AsyncDriver]]:
    upstream = urlsplit(neo4j_address.uri)
    assert upstream.hostname
    assert upstream.port
    proxy = FreezingProxy(upstream.hostname, upstream.port)
    async with (
        proxy.serve() as port,
        open_driver(replace(neo4j_address, uri=f"bolt://127.0.0.1:{port}")) as driver,
    ):
        yield proxy, driver
        proxy.thaw()


@pytest.mark.parametrize("call", [CALLS[n] for n in ("check", "project")])
@pytest.mark.parametrize("connected", [False, True])
async def test_a_silent_server_is_an_unavailable_graph_in_time(
    graph: Neo4jGraph,
    proxy: tuple[FreezingProxy, AsyncDriver],
    call: Callable[[Neo4jGraph], Awaitable[object]],
    connected: bool,
) -> None:
    silent, driver = proxy
    hasty = Neo4jGraph(driver, check_timeout=0.2, timeout=0.2)
    if connected:
        await Neo4jGraph(driver, timeout=10.0).check()
    silent.freeze()
    began = time.monotonic()
    with pytest.raises(GraphUnavailable) as raised:
        await call(hasty)
    assert time.monotonic() - began < 2
    assert isinstance(raised.value.__cause__, TimeoutError)
    silent.thaw()
    await call(Neo4jGraph(driver, timeout=10.0))


async def test_a_call_ends_at_its_deadline(
    graph: Neo4jGraph, proxy: tuple[FreezingProxy, AsyncDriver]
) -> None:
    silent, driver = proxy
    silent.freeze()

    async def read() -> None:
        enter_request(RequestContext("call-1", time.monotonic() + 0.1))
        await Neo4jGraph(driver, timeout=10.0).list_relations(QUERY)

    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        await asyncio.create_task(read())
    assert time.monotonic() - began < 2


async def test_a_projection_that_was_cut_off_can_be_repeated(
    graph: Neo4jGraph, neo4j_driver: AsyncDriver, proxy: tuple[FreezingProxy, AsyncDriver]
) -> None:
    """The silence may begin anywhere in the transaction; repeating it completes the graph."""
    silent, driver = proxy
    cut = Neo4jGraph(driver, timeout=10.0)
    states = [stating(number, WORKS) for number in range(3)]
    for attempt in range(6):
        silent.thaw()
        await cut.check()
        task = asyncio.create_task(cut.project(states[: 1 + attempt % 3]))
        for _ in range(attempt * 4):
            await asyncio.sleep(0)
        silent.freeze()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    silent.thaw()
    await graph.project(states)
    assert await read_contents(neo4j_driver) == expected_contents(states)


async def test_after_some_failures_a_silent_server_is_not_called(
    graph: Neo4jGraph, proxy: tuple[FreezingProxy, AsyncDriver]
) -> None:
    silent, driver = proxy
    now = [100.0]
    breaker = CircuitBreaker("neo4j", failures=2, pause=5.0, monotonic=lambda: now[0])
    reader = Neo4jGraph(driver, breaker, timeout=0.2)
    patient = Neo4jGraph(driver, breaker, timeout=10.0)
    await graph.project([stating(1, WORKS)])
    assert len(await patient.list_relations(QUERY)) == 1
    silent.freeze()
    for _ in range(2):
        with pytest.raises(GraphUnavailable) as raised:
            await reader.list_relations(QUERY)
        assert isinstance(raised.value.__cause__, TimeoutError)
    assert not breaker.admits()
    with pytest.raises(GraphUnavailable) as refused:
        await reader.list_relations(QUERY)
    assert refused.value.__cause__ is None

    silent.thaw()
    now[0] += 5.0
    assert len(await patient.list_relations(QUERY)) == 1
    assert breaker.state is BreakerState.CLOSED


async def test_a_refused_statement_is_an_answer(neo4j_driver: AsyncDriver) -> None:
    breaker = CircuitBreaker("neo4j", failures=1)
    with pytest.raises(GraphUnavailable):
        async with guarded_call(breaker, 10.0):
            await neo4j_driver.execute_query("this is no Cypher")
    assert breaker.state is BreakerState.CLOSED
