"""Spans around the steps of a use case, and the trace context of a call as text.

The text is the header `traceparent` of https://www.w3.org/TR/trace-context/.

Spans are created only within a traced call. In other calls, these functions only read a context
variable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import Token
from itertools import islice

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import INVALID_SPAN, Link, Span, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

TRACEPARENT = "traceparent"
_TRACE_HEADERS = (TRACEPARENT, "tracestate")
_PROPAGATOR = TraceContextTextMapPropagator()


def span_ids(context: SpanContext) -> dict[str, str]:
    """Returns the ids of a valid span context, as logs and exemplars name them."""
    return {
        "trace_id": trace.format_trace_id(context.trace_id),
        "span_id": trace.format_span_id(context.span_id),
    }


def format_traceparent(context: SpanContext) -> str:
    """Returns the text of a valid span context."""
    ids = span_ids(context)
    return f"00-{ids['trace_id']}-{ids['span_id']}-{context.trace_flags:02x}"


def current_traceparent() -> str | None:
    """Returns the text of the current span's context, if there is one."""
    context = trace.get_current_span().get_span_context()
    return format_traceparent(context) if context.is_valid else None


def parse_traceparent(traceparent: str) -> SpanContext | None:
    """Returns the span context in the text, or None if it is malformed."""
    extracted = _PROPAGATOR.extract({TRACEPARENT: traceparent}, Context())
    found = trace.get_current_span(extracted).get_span_context()
    return found if found.is_valid else None


def received_context(metadata: Iterable[tuple[str, str | bytes]]) -> Context | None:
    """Returns the trace that a client passes on in its metadata, if any."""
    headers = {key: str(value) for key, value in metadata if key in _TRACE_HEADERS}
    return _PROPAGATOR.extract(headers, Context()) if headers else None


def outgoing_headers(received: str | None) -> dict[str, str]:
    """Returns headers that pass the current span on to another service, with vendors' state.

    Without a span, the `received` trace, if any, is passed on unchanged.
    """
    headers: dict[str, str] = {}
    _PROPAGATOR.inject(headers)
    if not headers and received is not None:
        headers[TRACEPARENT] = received
    return headers


def inherited_headers(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns headers that pass on the trace in which this process was started, if any.

    A traced script passes it in TRACEPARENT and TRACESTATE.
    https://opentelemetry.io/docs/specs/otel/context/env-carriers/
    """
    if parse_traceparent(environment.get(TRACEPARENT.upper(), "")) is None:
        return {}
    named = {name: environment.get(name.upper()) for name in _TRACE_HEADERS}
    return {name: value for name, value in named.items() if value}


CORRELATION_ATTRIBUTE = "memoir.correlation_id"
CORRELATIONS_ATTRIBUTE = "memoir.correlation_ids"
"""The attribute of spans for several calls."""

_MOST_LINKS = 128
"""How many links of a span the SDK keeps by default."""

_NONE: Mapping[str, AttributeValue] = {}
_NO_SPAN = nullcontext(INVALID_SPAN)
# It uses the provider that is set later; getting a tracer for each span costs more than the span.
_TRACER = trace.get_tracer("memoir")


def span(
    name: str,
    /,
    attributes: Mapping[str, AttributeValue] = _NONE,
    kind: SpanKind = SpanKind.INTERNAL,
) -> AbstractContextManager[Span]:
    """Runs the block in a span with this name, a child of the current span.

    If the block raises or is cancelled, the span becomes an error with the type of the exception,
    but without its text, which may quote a conversation.
    """
    if not trace.get_current_span().is_recording():
        return _NO_SPAN
    return _Current(_TRACER.start_span(name, attributes=attributes, kind=kind))


def linked_span(
    name: str,
    /,
    causes: Iterable[str | None],
    attributes: Mapping[str, AttributeValue] = _NONE,
    kind: SpanKind = SpanKind.INTERNAL,
) -> AbstractContextManager[Span]:
    """Runs the block in the first span of a new trace, which links to its causes.

    It is for work that is done after the calls that cause it, or for several of them together. The
    causes are given by their `traceparent`. If none of them is traced, there is no span.
    """
    links = _links(causes)
    if not links:
        return _NO_SPAN
    started = _TRACER.start_span(name, Context(), attributes=attributes, links=links, kind=kind)
    return _Current(started)


def past_span(
    name: str,
    began: int,
    ended: int,
    attributes: Mapping[str, AttributeValue],
    kind: SpanKind,
    error: BaseException | None = None,
) -> None:
    """Adds a child of the current span for finished work; times are nanoseconds since the epoch."""
    past = _TRACER.start_span(name, attributes=attributes, kind=kind, start_time=began)
    if error is not None:
        _mark_failed(past, error)
    past.end(ended)


class _Current:
    """Makes a span the current span of a block and ends it; a class, because that is cheaper."""

    __slots__ = ("_span", "_token")

    def __init__(self, started: Span) -> None:
        self._span = started
        self._token: Token[Context] | None = None

    def __enter__(self) -> Span:
        self._token = attach(trace.set_span_in_context(self._span))
        return self._span

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _at: object
    ) -> None:
        if error is not None:
            _mark_failed(self._span, error)
        if self._token is not None:
            detach(self._token)
        self._span.end()


def mark_failed(error: BaseException) -> None:
    """Marks the current span as failed, with the type of the exception."""
    _mark_failed(trace.get_current_span(), error)


def _mark_failed(failed: Span, error: BaseException) -> None:
    failed.set_attribute("error.type", type(error).__qualname__)
    failed.set_status(Status(StatusCode.ERROR))


def _links(causes: Iterable[str | None]) -> list[Link]:
    distinct = islice(dict.fromkeys(filter(None, causes)), _MOST_LINKS)
    contexts = [context for cause in distinct if (context := parse_traceparent(cause))]
    return [Link(context) for context in contexts if context.trace_flags.sampled]
