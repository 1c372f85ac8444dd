"""An OTLP receiver that keeps what the server sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Self

import grpc
import pytest_asyncio
from opentelemetry.proto.collector.metrics.v1 import (
    metrics_service_pb2,
    metrics_service_pb2_grpc,
)
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.trace.v1 import trace_pb2


@dataclass(frozen=True, slots=True)
class SentSpan:
    """A received span; ids are hexadecimal."""

    message: trace_pb2.Span

    @property
    def name(self) -> str:
        """Its name."""
        return self.message.name

    @property
    def trace_id(self) -> str:
        """Its trace."""
        return self.message.trace_id.hex()

    @property
    def span_id(self) -> str:
        """Its own id."""
        return self.message.span_id.hex()

    @property
    def parent_id(self) -> str:
        """The id of the parent, or ""."""
        return self.message.parent_span_id.hex()

    @property
    def links(self) -> set[str]:
        """The ids of the spans that it links to."""
        return {link.span_id.hex() for link in self.message.links}

    @property
    def attributes(self) -> dict[str, Any]:
        """Its attributes."""
        return attributes_of(self.message)


class MetricsReceiver:
    """The collector's service for metrics; answers while `answers` is set."""

    def __init__(self, answers: asyncio.Event) -> None:
        self.asked = asyncio.Event()
        self.requests: list[metrics_service_pb2.ExportMetricsServiceRequest] = []
        self._answers = answers

    async def Export(  # noqa: N802 - the method's name in the protocol
        self, request: metrics_service_pb2.ExportMetricsServiceRequest, _context: object
    ) -> metrics_service_pb2.ExportMetricsServiceResponse:
        """Called by the server under test."""
        self.asked.set()
        await self._answers.wait()
        self.requests.append(request)
        return metrics_service_pb2.ExportMetricsServiceResponse()

    @property
    def latest(self) -> dict[str, metrics_pb2.Metric]:
        """The newest metrics, by name."""
        return {
            metric.name: metric
            for resource in self.requests[-1].resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    @property
    def resource(self) -> dict[str, Any]:
        """The attributes of the resource that sent the metrics."""
        return attributes_of(self.requests[-1].resource_metrics[0].resource)


class Collector:
    """`async with Collector() as collector:` receives on a free loopback port.

    While `answers` is not set, it hangs.
    """

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.answers.set()
        self.asked = asyncio.Event()
        self.requests: list[trace_service_pb2.ExportTraceServiceRequest] = []
        self.metrics = MetricsReceiver(self.answers)
        self._server = grpc.aio.server()
        self._port = 0

    async def __aenter__(self) -> Self:
        add: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
        add(self, self._server)
        add_metrics: Any = metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server
        add_metrics(self.metrics, self._server)
        self._port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.answers.set()
        await self._server.stop(None)

    @property
    def endpoint(self) -> str:
        """The value for OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def spans(self) -> list[SentSpan]:
        """All received spans."""
        return [
            SentSpan(span)
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def named(self, name: str) -> list[SentSpan]:
        """Returns the spans of that name."""
        return [span for span in self.spans if span.name == name]

    async def Export(  # noqa: N802 - the method's name in the protocol
        self, request: trace_service_pb2.ExportTraceServiceRequest, _context: object
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        """Called by the server under test."""
        self.asked.set()
        await self.answers.wait()
        self.requests.append(request)
        return trace_service_pb2.ExportTraceServiceResponse()


def attributes_of(message: Any) -> dict[str, Any]:
    """The attributes of a span, a resource or a measurement."""
    return {pair.key: _value(pair.value) for pair in message.attributes}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None


@pytest_asyncio.fixture
async def collector() -> AsyncIterator[Collector]:
    """A collector of the test's own."""
    async with Collector() as receiving:
        yield receiving
