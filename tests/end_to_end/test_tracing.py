"""One request, followed by its correlation id and its trace through every part."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from grpc_health.v1 import health_pb2, health_pb2_grpc
from memoir.v1 import memory_pb2, memory_service_pb2
from neo4j import AsyncDriver

from server.storage.neo4j.terms import space_lock_slot
from tests.support.api import events
from tests.support.collector import Collector, SentSpan
from tests.support.operations import metadata_of, response_of, wait
from tests.support.processes import eventually
from tests.support.traced_server import Traced

CORRELATION_ID = "follow-me"
TRACE, CALLER = "a" * 32, "b" * 16
HEADERS = (
    ("x-correlation-id", CORRELATION_ID),
    ("traceparent", f"00-{TRACE}-{CALLER}-01"),
)
PATIENCE_SECONDS = 30.0


@asynccontextmanager
async def held_graph(driver: AsyncDriver, project: str, space: str) -> AsyncIterator[None]:
    """Blocks projections of a space, so that their transaction can be inspected."""
    async with driver.session() as session, await session.begin_transaction() as tx:
        slot = space_lock_slot(project, space)
        await tx.run("MERGE (lock:SpaceLock {slot: $slot}) SET lock.slot = $slot", slot=slot)
        yield
        await tx.rollback()


async def transactions(driver: AsyncDriver) -> list[dict[str, Any]]:
    """The metadata of Neo4j's transactions."""
    async with driver.session() as session:
        result = await session.run("SHOW TRANSACTIONS YIELD metaData RETURN metaData")
        return [record["metaData"] async for record in result]


def following(collector: Collector) -> list[SentSpan]:
    """The spans of the caller's trace, and of all traces that link back to it, directly or not."""
    found: dict[str, SentSpan] = {}
    traces = {TRACE}
    while True:
        more = [s for s in collector.spans if s.trace_id in traces and s.span_id not in found]
        if not more:
            return list(found.values())
        found |= {span.span_id: span for span in more}
        traces |= {span.trace_id for span in collector.spans if span.links & found.keys()}


def ids_of(span: SentSpan) -> Sequence[str]:
    attributes = span.attributes
    ids: Sequence[str] = attributes.get("memoir.correlation_ids", ())
    return ids or [attributes.get("memoir.correlation_id", "")]


async def test_one_request_is_found_everywhere(traced: Traced, neo4j_driver: AsyncDriver) -> None:
    client = traced.client
    async with held_graph(neo4j_driver, traced.project, "user:alice"):
        call = client.memory.AddMemories(
            memory_service_pb2.AddMemoriesRequest(
                user_id="alice",
                async_mode=True,
                messages=[memory_pb2.Message(role="user", content="I live in Lisbon.")],
            ),
            metadata=(*client.metadata, *HEADERS),
        )
        accepted = await call
        assert ("x-correlation-id", CORRELATION_ID) in tuple(await call.trailing_metadata() or ())

        async def shows_the_projection() -> bool:
            return any(
                CORRELATION_ID in metadata.get("correlation_ids", ())
                for metadata in await transactions(neo4j_driver)
            )

        await eventually(shows_the_projection, PATIENCE_SECONDS, "the id in Neo4j")

    done = await wait(client, accepted.operation.name)
    assert metadata_of(done).correlation_id == CORRELATION_ID
    [result] = response_of(done).results
    [event] = (await events(client, result.id)).events
    assert event.provenance.correlation_id == CORRELATION_ID

    async def is_sent() -> bool:
        return bool(traced.collector.named("settle"))

    await eventually(is_sent, PATIENCE_SECONDS, "the projection")
    await traced.server.stop()

    spans = following(traced.collector)
    assert all(CORRELATION_ID in ids_of(span) for span in spans)
    check_the_shape(spans)
    sent = {request.headers["traceparent"].split("-")[2] for request in traced.gemini.requests}
    assert {request.headers["x-correlation-id"] for request in traced.gemini.requests} == {
        CORRELATION_ID
    }
    assert sent <= {span.span_id for span in spans}
    logged = {
        line["event"]
        for line in traced.lines
        if CORRELATION_ID in (line.get("correlation_id"), *line.get("correlation_ids", ()))
    }
    assert {"rpc.ended", "operation.succeeded", "projector.projected"} <= logged


def check_the_shape(spans: Sequence[SentSpan]) -> None:
    """The caller's trace contains the call; later work links back to it."""
    by_name = {span.name: span for span in spans}
    [rpc] = [span for span in spans if span.parent_id == CALLER]
    assert rpc.trace_id == TRACE
    assert rpc.attributes["rpc.method"] == "memoir.v1.MemoryService/AddMemories"
    assert rpc.attributes["gen_ai.operation.name"] == "create_memory"
    steps = {event.name for event in rpc.message.events}
    assert {"authenticate", "admission", "validate"} <= steps
    operation = by_name["operation"]
    assert operation.links == {rpc.span_id}
    # The last one, if it had to be repeated.
    projection = by_name["projection"]
    assert projection.links == {operation.span_id}
    for name in ("embed", "turn", "infer", "commit", "record_calls"):
        assert by_name[name].trace_id == operation.trace_id, name
    for name in ("subgraphs", "project", "settle"):
        assert by_name[name].trace_id == projection.trace_id, name
    model = by_name["generate_content gemini-3.5-flash"]
    assert model.parent_id == by_name["infer"].span_id
    assert model.attributes["gen_ai.usage.input_tokens"] > 0
    assert by_name["embeddings gemini-embedding-001"].parent_id == by_name["embed"].span_id


async def test_a_hanging_collector_delays_nothing(traced: Traced) -> None:
    traced.collector.answers.clear()
    request = memory_service_pb2.ListMemoriesRequest(user_id="alice")
    await traced.client.memory.ListMemories(request, metadata=traced.client.metadata)
    await traced.collector.asked.wait()
    await traced.client.memory.ListMemories(request, metadata=traced.client.metadata)
    assert await traced.server.stop() == 0
    assert not traced.collector.requests


async def test_health_is_not_traced(traced: Traced) -> None:
    health = health_pb2_grpc.HealthStub(traced.client.channel)
    await health.Check(health_pb2.HealthCheckRequest())
    request = memory_service_pb2.ListMemoriesRequest(user_id="alice")
    await traced.client.memory.ListMemories(request, metadata=traced.client.metadata)
    await traced.server.stop()
    methods = {span.attributes.get("rpc.method") for span in traced.collector.spans} - {None}
    assert methods == {"memoir.v1.MemoryService/ListMemories"}
