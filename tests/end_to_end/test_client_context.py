"""The server continues the traces of clients."""

from __future__ import annotations

from pathlib import Path

import grpc
from memoir.v1 import memory_service_pb2
from memoir.v1.memory_service_pb2_grpc import MemoryServiceStub
from opentelemetry.instrumentation.grpc import aio_client_interceptors
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_span_id, format_trace_id

from tests.support.processes import eventually
from tests.support.server import clean_environment, run_command
from tests.support.traced_server import Traced

SECONDS = 30.0
TRACE, CALLER = "a" * 32, "b" * 16
LIST = "memoir.v1.MemoryService/ListMemories"
WATCH = "memoir.v1.StatisticsService/WatchStatistics"


async def arrived(traced: Traced, name: str) -> None:
    async def has_arrived() -> bool:
        return bool(traced.collector.named(name))

    await eventually(has_arrived, SECONDS, f"the span of {name}")


async def test_a_stub_on_an_instrumented_channel_is_continued(traced: Traced) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    interceptors = aio_client_interceptors(tracer_provider=provider)  # type: ignore[no-untyped-call]
    async with grpc.aio.insecure_channel(
        traced.client.address, interceptors=interceptors
    ) as channel:
        request = memory_service_pb2.ListMemoriesRequest(user_id="alice")
        await MemoryServiceStub(channel).ListMemories(request, metadata=traced.client.metadata)
    await arrived(traced, LIST)
    (sent,) = exporter.get_finished_spans()
    (continued,) = traced.collector.named(LIST)
    place = sent.get_span_context()
    assert place is not None
    assert continued.trace_id == format_trace_id(place.trace_id)
    assert continued.parent_id == format_span_id(place.span_id)


async def test_top_passes_on_the_trace_that_it_is_started_in(
    traced: Traced, tmp_path: Path
) -> None:
    key_file = tmp_path / "key"
    key_file.write_text(traced.client.key)
    await run_command(
        *("top", "--once", "--address", traced.client.address, "--key-file", str(key_file)),
        environment=clean_environment(TRACEPARENT=f"00-{TRACE}-{CALLER}-01"),
    )
    await arrived(traced, WATCH)
    (continued,) = traced.collector.named(WATCH)
    assert (continued.trace_id, continued.parent_id) == (TRACE, CALLER)
