"""When spans are created, and their attributes."""

from __future__ import annotations

import asyncio
import time

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from server.telemetry.spans import (
    current_traceparent,
    inherited_headers,
    linked_span,
    mark_failed,
    outgoing_headers,
    parse_traceparent,
    past_span,
    span,
)

SAMPLED = f"00-{'a' * 32}-{'b' * 16}-01"
NOT_SAMPLED = f"00-{'c' * 32}-{'d' * 16}-00"


def named(exported: InMemorySpanExporter, name: str) -> ReadableSpan:
    (found,) = [finished for finished in exported.get_finished_spans() if finished.name == name]
    return found


def root() -> trace.Span:
    return trace.get_tracer("test").start_span("rpc")


def test_a_span_is_a_child_with_its_attributes(exported: InMemorySpanExporter) -> None:
    attributes = {"gen_ai.operation.name": "embeddings"}
    with trace.use_span(root()) as rpc, span("embed", attributes, SpanKind.CLIENT) as current:
        assert trace.get_current_span() is current
    embed = named(exported, "embed")
    assert dict(embed.attributes or {}) == attributes
    assert embed.kind is SpanKind.CLIENT
    assert embed.parent == rpc.get_span_context()
    assert embed.status.status_code is StatusCode.UNSET


def test_outside_a_traced_call_there_is_no_span(exported: InMemorySpanExporter) -> None:
    with span("embed") as current:
        assert not current.is_recording()
    assert exported.get_finished_spans() == ()


@pytest.mark.parametrize("error", [ValueError("Alice is ill"), asyncio.CancelledError()])
def test_a_failed_span_has_the_type_of_the_error_and_not_its_text(
    exported: InMemorySpanExporter, error: BaseException
) -> None:
    with trace.use_span(root()), pytest.raises(type(error)), span("infer"):
        raise error
    infer = named(exported, "infer")
    assert infer.status.status_code is StatusCode.ERROR
    assert (infer.attributes or {})["error.type"] == type(error).__name__
    assert "Alice" not in infer.to_json()


def test_a_handled_failure_is_recorded(exported: InMemorySpanExporter) -> None:
    with trace.use_span(root()), span("attempt"):
        mark_failed(ValueError("Alice is ill"))
    assert named(exported, "attempt").status.status_code is StatusCode.ERROR


def test_later_work_starts_a_trace_with_links_to_its_causes(
    exported: InMemorySpanExporter,
) -> None:
    with trace.use_span(root()) as rpc:
        own = current_traceparent()
        with linked_span("projection", [own, SAMPLED, None, NOT_SAMPLED, own, "nonsense"]):
            pass
    projection = named(exported, "projection")
    assert projection.parent is None
    places = [rpc.get_span_context(), parse_traceparent(SAMPLED)]
    assert [link.context.span_id for link in projection.links] == [p.span_id for p in places if p]
    assert projection.context.trace_id != rpc.get_span_context().trace_id


def test_later_work_of_untraced_calls_has_no_span(
    exported: InMemorySpanExporter,
) -> None:
    with linked_span("projection", [None, NOT_SAMPLED]) as current, span("settle"):
        assert not current.is_recording()
    assert exported.get_finished_spans() == ()


def test_finished_work_becomes_a_span_with_its_own_times(exported: InMemorySpanExporter) -> None:
    ended = time.time_ns()
    with trace.use_span(root()) as rpc:
        past_span("claim", ended - 5, ended, {"a": 1}, SpanKind.CLIENT, OSError("host"))
    claim = named(exported, "claim")
    assert (claim.start_time, claim.end_time) == (ended - 5, ended)
    assert claim.parent == rpc.get_span_context()
    assert (claim.attributes or {})["error.type"] == "OSError"


@pytest.mark.usefixtures("exported")
def test_the_current_span_is_sent_to_other_services() -> None:
    with trace.use_span(root()):
        assert outgoing_headers(SAMPLED) == {"traceparent": current_traceparent()}
    assert outgoing_headers(SAMPLED) == {"traceparent": SAMPLED}
    assert outgoing_headers(None) == {}


@pytest.mark.usefixtures("exported")
def test_a_span_context_survives_as_text() -> None:
    started = root()
    with trace.use_span(started):
        text = current_traceparent()
    assert text is not None
    place = parse_traceparent(text)
    assert place is not None
    own = started.get_span_context()
    assert (place.trace_id, place.span_id) == (own.trace_id, own.span_id)
    assert current_traceparent() is None


def test_a_process_passes_on_the_trace_in_which_it_was_started() -> None:
    started = {"TRACEPARENT": SAMPLED, "TRACESTATE": "vendor=1", "PATH": "/bin"}
    assert inherited_headers(started) == {"traceparent": SAMPLED, "tracestate": "vendor=1"}
    assert inherited_headers({"TRACEPARENT": SAMPLED}) == {"traceparent": SAMPLED}


@pytest.mark.parametrize("environment", [{}, {"TRACEPARENT": "no"}, {"TRACESTATE": "vendor=1"}])
def test_invalid_traces_are_not_passed_on(environment: dict[str, str]) -> None:
    assert inherited_headers(environment) == {}
