"""Gives every call the id under which it is found in logs, traces and stored rows."""

from __future__ import annotations

import re
import secrets
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.trace import SpanContext

from server.domain.request_context import RequestContext, enter_request
from server.telemetry.spans import CORRELATION_ATTRIBUTE
from server.telemetry.trace_context import TRACEPARENT, format_traceparent, parse_traceparent
from server.transport.interceptors.context import CallContext, Metadata
from server.transport.interceptors.interceptor import CallInterceptor, Proceed
from server.transport.interceptors.method import Method

CORRELATION_HEADER = "x-correlation-id"
REQUEST_ID_HEADER = "x-request-id"
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_UNBOUNDED = float("inf")


class CorrelationInterceptor(CallInterceptor):
    """Chooses the correlation id and sends it back in the trailing metadata of every answer.

    The id is the first well-formed one of `x-correlation-id`, `x-request-id`, the trace id and a
    random one.
    """

    async def intercept(
        self, method: Method, request: Any, context: CallContext, proceed: Proceed
    ) -> Any:
        del method
        span = trace.get_current_span()
        metadata = context.invocation_metadata()
        place = _place_in_trace(metadata, span)
        correlation_id = _correlation_id(metadata, place)
        traceparent = format_traceparent(place) if place else None
        enter_request(RequestContext(correlation_id, _UNBOUNDED, traceparent))
        structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
        span.set_attribute(CORRELATION_ATTRIBUTE, correlation_id)
        context.add_trailer(CORRELATION_HEADER, correlation_id)
        return await proceed(request, context)


def _correlation_id(metadata: Metadata, place: SpanContext | None) -> str:
    return (
        _sent_id(metadata, CORRELATION_HEADER)
        or _sent_id(metadata, REQUEST_ID_HEADER)
        or (trace.format_trace_id(place.trace_id) if place else None)
        or secrets.token_hex(16)
    )


def _sent_id(metadata: Metadata, header: str) -> str | None:
    for key, value in metadata:
        if key == header and isinstance(value, str) and _ID.fullmatch(value):
            return value
    return None


def _place_in_trace(metadata: Metadata, span: trace.Span) -> SpanContext | None:
    """That of the call's span, else, with tracing off, the one that the client sent."""
    own = span.get_span_context()
    if own.is_valid:
        return own
    for key, value in metadata:
        if key == TRACEPARENT and isinstance(value, str):
            return parse_traceparent(value)
    return None
