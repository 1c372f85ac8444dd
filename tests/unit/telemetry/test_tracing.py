"""When spans are sent, and their attributes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from threading import Event, Thread

import pytest
import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, set_span_in_context

from server.telemetry import otlp
from server.telemetry.otlp import AtMost
from server.telemetry.spans import parse_traceparent

PATIENCE_SECONDS = 10.0


@pytest.fixture
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("_clean_environment")
def test_nothing_is_sent_by_default() -> None:
    assert otlp.configure_tracing("1.0") is None
    otlp.shutdown_tracing(None)


@pytest.mark.usefixtures("_clean_environment")
def test_tracing_starts_and_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    current: list[object] = []
    monkeypatch.setattr(trace, "set_tracer_provider", current.append)
    monkeypatch.setattr(otlp, "OTLPSpanExporter", InMemorySpanExporter)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    provider = otlp.configure_tracing("1.0")
    assert provider is not None
    assert current == [provider]
    otlp.shutdown_tracing(provider)


def test_spans_are_sent_with_name_version_and_correlation_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_on")
    exporter = InMemorySpanExporter()
    provider = otlp.build_provider("1.2.3", exporter)
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


def test_spans_of_work_for_several_calls_have_all_their_ids(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_on")
    exporter = InMemorySpanExporter()
    provider = otlp.build_provider("1", exporter)
    with structlog.contextvars.bound_contextvars(correlation_ids=["c1", "c2"]):
        provider.get_tracer("t").start_span("s").end()
    provider.force_flush()
    (sent,) = exporter.get_finished_spans()
    provider.shutdown()
    assert (sent.attributes or {})["memoir.correlation_ids"] == ("c1", "c2")


@pytest.mark.parametrize(("flags", "kept"), [("01", True), ("00", False)])
def test_linked_work_is_sampled_like_its_call(
    monkeypatch: pytest.MonkeyPatch, flags: str, kept: bool
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    provider = otlp.build_provider("1", InMemorySpanExporter())
    cause = parse_traceparent(f"00-{'a' * 32}-{'b' * 16}-{flags}")
    assert cause is not None
    later = provider.get_tracer("t").start_span("later", Context(), links=[Link(cause)])
    provider.shutdown()
    assert later.is_recording() is kept


@pytest.mark.parametrize(("sampler", "most"), [("", 20), ("parentbased_always_on", 1000)])
def test_the_rate_of_traces_is_limited_unless_the_environment_sets_a_sampler(
    monkeypatch: pytest.MonkeyPatch, sampler: str, most: int
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setattr(otlp, "AtMost", partial(AtMost, monotonic=lambda: 0.0))
    provider = otlp.build_provider("1", InMemorySpanExporter())
    tracer = provider.get_tracer("t")
    recorded = sum(tracer.start_span("rpc").is_recording() for _ in range(1000))
    sampled = set_span_in_context(NonRecordingSpan(_sampled()))
    assert all(tracer.start_span("rpc", sampled).is_recording() for _ in range(50))
    provider.shutdown()
    assert recorded == most


def test_the_rate_is_the_number_of_traces_per_second() -> None:
    now = 0.0
    sampler = AtMost(2.0, monotonic=lambda: now)

    def recorded(calls: int) -> int:
        results = [sampler.should_sample(None, number, "rpc") for number in range(calls)]
        return sum(result.decision is Decision.RECORD_AND_SAMPLE for result in results)

    assert recorded(5) == 2
    now = 0.5
    assert recorded(5) == 1
    now = 60.0
    assert recorded(5) == 2


def _sampled() -> SpanContext:
    place = parse_traceparent(f"00-{'a' * 32}-{'b' * 16}-01")
    assert place is not None
    return place


def test_the_environment_names_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    provider = otlp.build_provider("1", InMemorySpanExporter())
    provider.shutdown()
    assert provider.resource.attributes["service.name"] == "mine"


def test_a_hanging_collector_does_not_delay_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "LAST_CALLS_SECONDS", 0.01)
    released = Event()

    class Hanging(InMemorySpanExporter):
        def shutdown(self) -> None:
            released.wait()

    provider = otlp.build_provider("1", Hanging())
    ending = Thread(target=otlp.shutdown_tracing, args=[provider], daemon=True)
    ending.start()
    ending.join(PATIENCE_SECONDS)
    assert not ending.is_alive()
    released.set()


def test_spans_that_nobody_takes_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_on")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "8")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
    exporting, released = Event(), Event()
    exported: list[int] = []

    class Hanging(InMemorySpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            exporting.set()
            released.wait()
            exported.append(len(spans))
            return SpanExportResult.SUCCESS

    provider = otlp.build_provider("1", Hanging())
    tracer = provider.get_tracer("t")
    for _ in range(4):
        tracer.start_span("first").end()
    assert exporting.wait(PATIENCE_SECONDS)
    for _ in range(100):
        tracer.start_span("more").end()
    released.set()
    provider.shutdown()
    assert sum(exported) == 4 + 8
