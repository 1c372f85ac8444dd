"""Gives every call the id under which it is found in logs, traces and stored rows."""

from __future__ import annotations

import re
import secrets
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from server.domain.request_context import RequestContext, enter_request
from server.telemetry.spans import CORRELATION_ATTRIBUTE
from server.transport.interceptors.context import CallContext, Metadata
from server.transport.interceptors.interceptor import CallInterceptor, Proceed
from server.transport.interceptors.method import Method

CORRELATION_HEADER = "x-correlation-id"
REQUEST_ID_HEADER = "x-request-id"
TRACE_HEADER = "traceparent"
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
        correlation_id = _correlation_id(context.invocation_metadata(), span)
        enter_request(RequestContext(correlation_id, _UNBOUNDED))
        structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
        span.set_attribute(CORRELATION_ATTRIBUTE, correlation_id)
        context.add_trailer(CORRELATION_HEADER, correlation_id)
        return await proceed(request, context)


def _correlation_id(metadata: Metadata, span: trace.Span) -> str:
    return (
        _sent_id(metadata, CORRELATION_HEADER)
        or _sent_id(metadata, REQUEST_ID_HEADER)
        or _trace_id(metadata, span)
        or secrets.token_hex(16)
    )


def _sent_id(metadata: Metadata, header: str) -> str | None:
    for key, value in metadata:
        if key == header and isinstance(value, str) and _ID.fullmatch(value):
            return value
    return None


def _trace_id(metadata: Metadata, span: trace.Span) -> str | None:
    """The trace id of the call's span, else, with tracing off, the one that the client sent."""
    found = span.get_span_context()
    if not found.is_valid:
        sent = {key: value for key, value in metadata if key == TRACE_HEADER}
        if not sent:
            return None
        extracted = TraceContextTextMapPropagator().extract(sent)
        found = trace.get_current_span(extracted).get_span_context()
    return trace.format_trace_id(found.trace_id) if found.is_valid else None
