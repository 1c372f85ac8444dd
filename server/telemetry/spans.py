"""Spans around the steps of a use case.

A span is made only within a call that is traced: with tracing off, or where the sampler left the
call out, the functions here cost a look at a context variable.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Link, Span, SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue

from server.telemetry.trace_context import parse_traceparent

CORRELATION_ATTRIBUTE = "memoir.correlation_id"
CORRELATIONS_ATTRIBUTE = "memoir.correlation_ids"
"""Of work that is done for several calls at once."""

_TRACER_NAME = "memoir"
_MOST_LINKS = 128
"""What the SDK keeps of a span's links, unless it is told otherwise."""

_NONE: Mapping[str, AttributeValue] = {}


@contextmanager
def span(
    name: str,
    /,
    attributes: Mapping[str, AttributeValue] = _NONE,
    kind: SpanKind = SpanKind.INTERNAL,
) -> Iterator[Span]:
    """Runs its block within a span of that name, a child of the current one.

    A block that raises or is cancelled makes the span an error and names the type of the exception,
    but not its text, which may quote a conversation.
    """
    if not trace.get_current_span().is_recording():
        yield INVALID_SPAN
        return
    tracer = trace.get_tracer(_TRACER_NAME)
    started = tracer.start_span(name, attributes=attributes, kind=kind)
    with _current(started):
        yield started


@contextmanager
def linked_span(
    name: str,
    /,
    causes: Iterable[str | None],
    attributes: Mapping[str, AttributeValue] = _NONE,
    kind: SpanKind = SpanKind.INTERNAL,
) -> Iterator[Span]:
    """Runs its block within the first span of a trace of its own, which links to its causes.

    For work that is done later than the calls that cause it, or for several of them at once. They
    are told by their `traceparent`. Where none of them is traced there is no span either.
    """
    links = _links(causes)
    if not links:
        yield INVALID_SPAN
        return
    tracer = trace.get_tracer(_TRACER_NAME)
    started = tracer.start_span(name, Context(), attributes=attributes, links=links, kind=kind)
    with _current(started):
        yield started


def past_span(
    name: str,
    began: int,
    ended: int,
    attributes: Mapping[str, AttributeValue],
    kind: SpanKind,
    error: BaseException | None = None,
) -> None:
    """Adds a child of the current span for what is over; times are nanoseconds since the epoch."""
    tracer = trace.get_tracer(_TRACER_NAME)
    past = tracer.start_span(name, attributes=attributes, kind=kind, start_time=began)
    if error is not None:
        _mark_failed(past, error)
    past.end(ended)


@contextmanager
def _current(started: Span) -> Iterator[None]:
    with trace.use_span(
        started, end_on_exit=True, record_exception=False, set_status_on_exception=False
    ):
        try:
            yield
        except BaseException as error:
            mark_failed(error)
            raise


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
