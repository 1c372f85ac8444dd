"""The place of a call in its trace, as text: it crosses processes and is kept with later work.

The text is the header `traceparent` of https://www.w3.org/TR/trace-context/.
"""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACEPARENT = "traceparent"
_OF_A_TRACE = (TRACEPARENT, "tracestate")
_PROPAGATOR = TraceContextTextMapPropagator()


def format_traceparent(place: SpanContext) -> str:
    """The text of a valid place."""
    trace_id, span_id = trace.format_trace_id(place.trace_id), trace.format_span_id(place.span_id)
    return f"00-{trace_id}-{span_id}-{place.trace_flags:02x}"


def current_traceparent() -> str | None:
    """The text of the current span's place, if there is one."""
    place = trace.get_current_span().get_span_context()
    return format_traceparent(place) if place.is_valid else None


def parse_traceparent(traceparent: str) -> SpanContext | None:
    """The place that the text says, or None where it is no such text."""
    extracted = _PROPAGATOR.extract({TRACEPARENT: traceparent}, Context())
    found = trace.get_current_span(extracted).get_span_context()
    return found if found.is_valid else None


def outgoing_headers(received: str | None) -> dict[str, str]:
    """What tells another service the current span, vendors' state included.

    Without a span the trace that was `received`, if any, is passed on as it is.
    """
    headers: dict[str, str] = {}
    _PROPAGATOR.inject(headers)
    if not headers and received is not None:
        headers[TRACEPARENT] = received
    return headers


def inherited_headers(environment: Mapping[str, str]) -> dict[str, str]:
    """What tells a server the trace in which this process was started, if in one.

    A script that is traced says it by TRACEPARENT and TRACESTATE.
    https://opentelemetry.io/docs/specs/otel/context/env-carriers/
    """
    if parse_traceparent(environment.get(TRACEPARENT.upper(), "")) is None:
        return {}
    named = {name: environment.get(name.upper()) for name in _OF_A_TRACE}
    return {name: value for name, value in named.items() if value}
