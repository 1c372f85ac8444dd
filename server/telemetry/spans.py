"""Spans around the steps of a use case.

A span is made only within a call that is traced: with tracing off, or where the sampler left the
call out, the functions here cost a look at a context variable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import Token
from itertools import islice

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import INVALID_SPAN, Link, Span, SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue

from server.telemetry.trace_context import parse_traceparent

CORRELATION_ATTRIBUTE = "memoir.correlation_id"
CORRELATIONS_ATTRIBUTE = "memoir.correlation_ids"
"""Of work that is done for several calls at once."""

_MOST_LINKS = 128
"""What the SDK keeps of a span's links, unless it is told otherwise."""

_NONE: Mapping[str, AttributeValue] = {}
_NO_SPAN = nullcontext(INVALID_SPAN)
# Of the provider that is set later; asking the provider for each span costs more than the span.
_TRACER = trace.get_tracer("memoir")


def span(
    name: str,
    /,
    attributes: Mapping[str, AttributeValue] = _NONE,
    kind: SpanKind = SpanKind.INTERNAL,
) -> AbstractContextManager[Span]:
    """A block within a span of that name, a child of the current one.

    A block that raises or is cancelled makes the span an error and names the type of the exception,
    but not its text, which may quote a conversation.
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
    """A block within the first span of a trace of its own, which links to its causes.

    For work that is done later than the calls that cause it, or for several of them at once. They
    are told by their `traceparent`. Where none of them is traced there is no span either.
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
    """Adds a child of the current span for what is over; times are nanoseconds since the epoch."""
    past = _TRACER.start_span(name, attributes=attributes, kind=kind, start_time=began)
    if error is not None:
        _mark_failed(past, error)
    past.end(ended)


class _Current:
    """Makes a span the current one for a block and ends it; written out because it is cheaper."""

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
    """Makes the current span an error that names the type of the exception."""
    _mark_failed(trace.get_current_span(), error)


def _mark_failed(failed: Span, error: BaseException) -> None:
    failed.set_attribute("error.type", type(error).__qualname__)
    failed.set_status(Status(StatusCode.ERROR))


def _links(causes: Iterable[str | None]) -> list[Link]:
    distinct = islice(dict.fromkeys(filter(None, causes)), _MOST_LINKS)
    places = [place for cause in distinct if (place := parse_traceparent(cause))]
    return [Link(place) for place in places if place.trace_flags.sampled]
