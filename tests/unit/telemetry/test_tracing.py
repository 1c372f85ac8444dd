"""When spans are sent, and what they carry."""

from __future__ import annotations

import asyncio

import pytest
import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from server.telemetry import tracing
from server.telemetry.spans import span


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return exporter


@pytest.fixture
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED", *tracing._ENDPOINTS):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("environment", "requested"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4317"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "console, otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, False),
        ({"OTEL_SDK_DISABLED": "True", "OTEL_TRACES_EXPORTER": "otlp"}, False),
    ],
)
def test_the_environment_decides(environment: dict[str, str], requested: bool) -> None:
    assert tracing.is_requested(environment) is requested


@pytest.mark.usefixtures("_clean_environment")
def test_nothing_is_sent_unless_asked_for() -> None:
    assert tracing.configure_tracing("1.0") is None
    tracing.shutdown_tracing(None)


@pytest.mark.usefixtures("_clean_environment")
def test_tracing_starts_and_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    current: list[object] = []
    monkeypatch.setattr(trace, "set_tracer_provider", current.append)
    monkeypatch.setattr(tracing, "OTLPSpanExporter", InMemorySpanExporter)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    provider = tracing.configure_tracing("1.0")
    assert provider is not None
    assert current == [provider]
    tracing.shutdown_tracing(provider)


def test_spans_are_sent_with_name_version_and_correlation_id() -> None:
    exporter = InMemorySpanExporter()
    provider = tracing.build_provider("1.2.3", exporter)
    with (
        structlog.contextvars.bound_contextvars(correlation_id="c1"),
        provider.get_tracer("t").start_as_current_span("s"),
    ):
        pass
    provider.force_flush()
    (sent,) = exporter.get_finished_spans()
    provider.shutdown()
    assert sent.resource.attributes["service.name"] == "memoir"
    assert sent.resource.attributes["service.version"] == "1.2.3"
    assert (sent.attributes or {})["memoir.correlation_id"] == "c1"


def test_the_environment_names_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    provider = tracing.build_provider("1", InMemorySpanExporter())
    provider.shutdown()
    assert provider.resource.attributes["service.name"] == "mine"


def test_a_span_has_its_attributes(exported: InMemorySpanExporter) -> None:
    with span("embed", **{"gen_ai.operation.name": "embeddings"}) as current:
        assert trace.get_current_span() is current
    (finished,) = exported.get_finished_spans()
    assert finished.name == "embed"
    assert dict(finished.attributes or {}) == {"gen_ai.operation.name": "embeddings"}
    assert finished.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("error", [ValueError("Alice is ill"), asyncio.CancelledError()])
def test_a_failed_span_names_the_error_and_not_its_text(
    exported: InMemorySpanExporter, error: BaseException
) -> None:
    with pytest.raises(type(error)), span("infer"):
        raise error
    (finished,) = exported.get_finished_spans()
    assert finished.status.status_code is StatusCode.ERROR
    assert (finished.attributes or {})["error.type"] == type(error).__name__
    assert "Alice" not in finished.to_json()
