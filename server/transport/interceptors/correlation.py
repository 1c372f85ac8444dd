"""Gives every call the id under which it is found in logs, traces and stored rows."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Any, Never

import grpc
import structlog
from opentelemetry import propagate, trace

from server.domain.request_context import RequestContext, enter_request
from server.telemetry.spans import CORRELATION_ATTRIBUTE
from server.transport.interceptors.context import Context, ForwardingContext, Metadata
from server.transport.interceptors.handlers import Call, CallInterceptor, Proceed

CORRELATION_HEADER = "x-correlation-id"
REQUEST_ID_HEADER = "x-request-id"
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class CorrelationInterceptor(CallInterceptor):
    """Chooses the correlation id and sends it back in the trailing metadata of every answer.

    The id is the first well-formed one of `x-correlation-id`, `x-request-id`, the trace id and a
    random one.
    """

    async def intercept(self, call: Call, request: Any, context: Context, proceed: Proceed) -> Any:
        correlation_id = next(_candidates(call.metadata))
        enter_request(RequestContext(correlation_id, deadline=float("inf")))
        structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
        trace.get_current_span().set_attribute(CORRELATION_ATTRIBUTE, correlation_id)
        return await proceed(request, CorrelatedContext(context, correlation_id))


class CorrelatedContext(ForwardingContext):
    """Adds the correlation id to the trailing metadata that the handler sets."""

    def __init__(self, inner: Context, correlation_id: str) -> None:
        super().__init__(inner)
        self._own: Metadata = ((CORRELATION_HEADER, correlation_id),)
        self._handlers: Metadata = ()
        inner.set_trailing_metadata(self._own)

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        self._handlers = tuple(trailing_metadata)
        self._inner.set_trailing_metadata(self._handlers + self._own)

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Any = ()
    ) -> Never:
        trailers = self._handlers + tuple(trailing_metadata) + self._own
        await self._inner.abort(code, details, trailers)


def _candidates(metadata: Metadata) -> Iterator[str]:
    for header in (CORRELATION_HEADER, REQUEST_ID_HEADER):
        for key, value in metadata:
            if key == header and isinstance(value, str) and _ID.fullmatch(value):
                yield value
    if trace_id := _trace_id(metadata):
        yield trace_id
    yield secrets.token_hex(16)


def _trace_id(metadata: Metadata) -> str | None:
    """The trace id of the current span, else, with tracing off, the one that the client sent."""
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        carrier = {key: value for key, value in metadata if isinstance(value, str)}
        span = trace.get_current_span(propagate.extract(carrier)).get_span_context()
    return trace.format_trace_id(span.trace_id) if span.is_valid else None
