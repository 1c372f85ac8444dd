"""A real server on a loopback port with the whole chain of interceptors, and a channel to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from typing import Any

import grpc
import pytest
import structlog
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from server.api.grpc.admission import Admission, AdmissionLimits
from server.api.grpc.health import HealthService
from server.api.grpc.interceptors.chain import build_chain
from server.api.grpc.interceptors.drain import DrainGate
from server.api.grpc.rate_limit import RateLimiter
from server.telemetry.statistics import Statistics
from tests.integration.api.harness import (
    DEFAULT_SECONDS,
    NOW,
    FakeService,
    Harness,
    authenticate,
    authorize,
    graph_handlers,
    memory_handlers,
    streaming_handlers,
)


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    with structlog.testing.capture_logs() as captured:
        yield captured


@pytest.fixture(params=[True], ids=["traced"])
def provider(request: pytest.FixtureRequest, spans: InMemorySpanExporter) -> TracerProvider | None:
    """Tests that run with tracing off as well override the parameter."""
    if not request.param:
        return None
    traced = TracerProvider(shutdown_on_exit=False)
    traced.add_span_processor(SimpleSpanProcessor(spans))
    return traced


@pytest.fixture
def limits(request: pytest.FixtureRequest) -> AdmissionLimits:
    """Tests of admission have their own limits."""
    return getattr(request, "param", AdmissionLimits())


@pytest.fixture
def rate(request: pytest.FixtureRequest) -> float:
    """Calls a second of a project; tests of that limit set one."""
    return getattr(request, "param", 0.0)


@pytest.fixture
def default_seconds(request: pytest.FixtureRequest) -> float:
    """The deadline of calls without one; tests of that limit set one."""
    return getattr(request, "param", DEFAULT_SECONDS)


@pytest.fixture
def statistics() -> Statistics:
    """The statistics of the server."""
    return Statistics()


@pytest.fixture
async def harness(
    provider: TracerProvider | None,
    spans: InMemorySpanExporter,
    logs: list[MutableMapping[str, Any]],
    limits: AdmissionLimits,
    rate: float,
    default_seconds: float,
    statistics: Statistics,
) -> AsyncIterator[Harness]:
    gate, admission = DrainGate(), Admission(limits)
    server = grpc.aio.server(
        interceptors=[
            build_chain(
                gate=gate,
                admission=admission,
                rate_limiter=RateLimiter(rate, 1),
                authenticate=authenticate,
                authorize=authorize,
                now=lambda: NOW,
                statistics=statistics,
                default_timeout_seconds=default_seconds,
                tracer_provider=provider,
            )
        ]
    )
    service, health = FakeService(), HealthService()
    await health.start()
    add_health: Callable[..., None] = health_pb2_grpc.add_HealthServicer_to_server
    add_health(health, server)
    reflection.enable_server_reflection(["memoir.v1.MemoryService"], server)
    handlers = (memory_handlers(service), graph_handlers(service), streaming_handlers(service))
    server.add_generic_rpc_handlers(handlers)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
    try:
        yield Harness(
            server, f"127.0.0.1:{port}", channel, service, health, gate, admission, spans, logs
        )
    finally:
        await channel.close()
        await server.stop(None)
