"""Spans of the code under test, as they are exported."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from server.telemetry import spans
from server.telemetry.otlp import CorrelationProcessor


@pytest.fixture
def tracer_provider(monkeypatch: pytest.MonkeyPatch) -> TracerProvider:
    """The provider of every tracer during the test."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(CorrelationProcessor())
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    monkeypatch.setattr(spans, "_TRACER", provider.get_tracer("memoir"))
    return provider


@pytest.fixture
def exported(tracer_provider: TracerProvider) -> InMemorySpanExporter:
    """The exporter that holds the spans so far."""
    exporter = InMemorySpanExporter()
    tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter
