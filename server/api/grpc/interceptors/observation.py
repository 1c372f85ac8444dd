"""Records every call: its correlation id, its metrics, its log line and its span."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote

import grpc
import structlog
from opentelemetry import trace
from opentelemetry.context import attach, detach
from opentelemetry.trace import Span, SpanContext, SpanKind, Status, StatusCode, Tracer
from opentelemetry.util.types import AttributeValue

from server.api.grpc.access_rules import MethodClass
from server.api.grpc.interceptors.access import project_or_none
from server.api.grpc.interceptors.context import (
    CallContext,
    CallInterceptor,
    Metadata,
    Method,
    Proceed,
    final_code,
)
from server.core.request_context import RequestContext, current_origin, enter_request
from server.telemetry.figures import EndedCall
from server.telemetry.logging import FrequentEvent
from server.telemetry.recording import record_rpc
from server.telemetry.spans import (
    CORRELATION_ATTRIBUTE,
    TRACEPARENT,
    format_traceparent,
    parse_traceparent,
    received_context,
    span_ids,
)
from server.telemetry.statistics import Statistics
from server.telemetry.tally import Tally, begin_tally

CORRELATION_HEADER = "x-correlation-id"
REQUEST_ID_HEADER = "x-request-id"
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_UNBOUNDED = float("inf")
_UNKNOWN = "unknown"

_ended_event = FrequentEvent("server.rpc", "rpc.ended")


class ObservationInterceptor(CallInterceptor):
    """Gives every call its correlation id, and records how it ends.

    The id is the first of `x-correlation-id`, `x-request-id` and the trace id that is well-formed,
    else random. It is returned in the trailing metadata of every response.

    A call counts in the statistics of its project; if it was not authorized, in those of its key's
    project. Every call is logged as the event `rpc.ended`, calls of health and reflection at debug
    level. Sizes are bytes as sent, without the frame; request streams are not counted.

    All of this is one coroutine, because each part costs less than a separate coroutine.
    """

    def __init__(self, statistics: Statistics, now: Callable[[], datetime]) -> None:
        """`now` returns the current time, aware, in UTC."""
        self._statistics = statistics
        self._now = now

    async def intercept(
        self, method: Method, request: Any, context: CallContext, proceed: Proceed
    ) -> Any:
        span = trace.get_current_span()
        correlation_id = _begin(context, span)
        tally = begin_tally()
        tally.may_be_traced = span.is_recording()
        response: Any = None
        error: BaseException | None = None
        began = time.perf_counter()
        try:
            response = await proceed(request, context)
            return response
        except BaseException as raised:
            error = raised
            raise
        finally:
            seconds = time.perf_counter() - began
            code = final_code(context, error)
            ended = EndedCall(
                seconds,
                self._now(),
                method.name if method.exists else _UNKNOWN,
                code.name,
                correlation_id,
                waits=method.kind is MethodClass.STREAM,
            )
            project_id = self._record(ended, tally)
            _log_call(method, ended, project_id, tally, request, response, context, span)
            if span.is_recording():
                complete_span(span, method, context, code)

    def _record(self, ended: EndedCall, tally: Tally) -> str | None:
        """Counts the call and returns its project, if known."""
        record_rpc(ended.method, ended.code, ended.seconds)
        if project_id := project_or_none():
            self._statistics.record(project_id, tally, ended)
        return project_id


def _begin(context: CallContext, span: Span) -> str:
    metadata = context.invocation_metadata()
    span_context = _trace_context(metadata, span)
    correlation_id = _correlation_id(metadata, span_context)
    traceparent = format_traceparent(span_context) if span_context else None
    enter_request(RequestContext(correlation_id, _UNBOUNDED, traceparent))
    structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
    span.set_attribute(CORRELATION_ATTRIBUTE, correlation_id)
    context.add_trailer(CORRELATION_HEADER, correlation_id)
    return correlation_id


def _correlation_id(metadata: Metadata, span_context: SpanContext | None) -> str:
    return (
        _sent_id(metadata, CORRELATION_HEADER)
        or _sent_id(metadata, REQUEST_ID_HEADER)
        or (trace.format_trace_id(span_context.trace_id) if span_context else None)
        or secrets.token_hex(16)
    )


def is_correlation_id(value: str) -> bool:
    """Whether an id that a client sent is kept."""
    return _ID.fullmatch(value) is not None


def _sent_id(metadata: Metadata, header: str) -> str | None:
    for key, value in metadata:
        if key == header and isinstance(value, str) and is_correlation_id(value):
            return value
    return None


def _trace_context(metadata: Metadata, span: Span) -> SpanContext | None:
    """Returns the context of the call's span or, without tracing, the one the client sent."""
    own = span.get_span_context()
    if own.is_valid:
        return own
    for key, value in metadata:
        if key == TRACEPARENT and isinstance(value, str):
            return parse_traceparent(value)
    return None


def _log_call(
    method: Method,
    ended: EndedCall,
    project_id: str | None,
    tally: Tally,
    request: object,
    response: object,
    context: CallContext,
    span: Span,
) -> None:
    answered = len(response) if isinstance(response, bytes) else 0
    facts: dict[str, object] = {
        "method": method.name,
        "code": ended.code,
        "duration_ms": round(ended.seconds * 1000, 3),
        "correlation_id": ended.correlation_id,
        "response_bytes": context.bytes_written + answered,
    }
    if isinstance(request, bytes):
        facts["request_bytes"] = len(request)
    if method.streams_responses:
        facts["response_messages"] = context.messages_written
    if project_id:
        facts["project_id"] = project_id
    origin = current_origin()
    if origin.key_id:
        facts["key_id"] = origin.key_id
        facts["peer"] = origin.peer
    if tally.model_calls:
        facts["model_calls"] = len(tally.model_calls)
        facts["model_ms"] = round(sum(call.seconds for call in tally.model_calls) * 1000, 3)
    span_context = span.get_span_context()
    if span_context.is_valid:
        facts |= span_ids(span_context)
    _ended_event.log("debug" if method.is_public else "info", facts)


class TracingInterceptor(CallInterceptor):
    """Opens a server span for every call but those of health and reflection.

    It continues the trace that the client sends. `complete_span` says how the call ended.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    async def intercept(
        self, method: Method, request: Any, context: CallContext, proceed: Proceed
    ) -> Any:
        if method.is_public:
            return await proceed(request, context)
        received = received_context(context.invocation_metadata())
        span = self._tracer.start_span(method.name, received, SpanKind.SERVER)
        token = attach(trace.set_span_in_context(span))
        try:
            return await proceed(request, context)
        finally:
            detach(token)
            span.end()


_NETWORKS: Final = ("ipv4", "ipv6")
# The codes that are the server's fault:
# https://opentelemetry.io/docs/specs/semconv/rpc/grpc/#grpc-status
_SERVER_FAULTS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)


# https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/
_MEMORY_OPERATIONS = {
    "memoir.v1.MemoryService/AddMemories": "create_memory",
    "memoir.v1.MemoryService/SearchMemories": "search_memory",
    "memoir.v1.MemoryService/UpdateMemory": "update_memory",
    "memoir.v1.MemoryService/BatchUpdateMemories": "update_memory",
    "memoir.v1.MemoryService/DeleteMemory": "delete_memory",
    "memoir.v1.MemoryService/BatchDeleteMemories": "delete_memory",
    "memoir.v1.MemoryService/DeleteMemories": "delete_memory",
    "memoir.v1.MemoryService/DeleteScope": "delete_memory",
}


def complete_span(span: Span, method: Method, context: CallContext, code: grpc.StatusCode) -> None:
    """Sets the attributes of the semantic conventions, and the status."""
    if operation := _MEMORY_OPERATIONS.get(method.name):
        span.set_attribute("gen_ai.operation.name", operation)
    span.set_attributes(
        {
            "rpc.system.name": "grpc",
            "rpc.method": method.name,
            "rpc.response.status_code": code.name,
            "rpc.grpc.status_code": code.value[0],
            **_peer(context),
        }
    )
    if code in _SERVER_FAULTS:
        span.set_attribute("error.type", code.name)
        span.set_status(Status(StatusCode.ERROR, code.name))


# https://opentelemetry.io/docs/specs/semconv/registry/attributes/network/
def _peer(context: CallContext) -> Mapping[str, AttributeValue]:
    """The client's address; a peer is `ipv4:address:port`, `ipv6:[address]:port` or a path."""
    attributes: dict[str, AttributeValue] = {}
    kind, _, rest = unquote(context.peer()).partition(":")
    address, _, port = rest.rpartition(":")
    if kind in _NETWORKS and port.isdecimal():
        attributes["network.peer.address"] = address.strip("[]")
        attributes["network.peer.port"] = int(port)
    for key, value in context.invocation_metadata():
        if key == "user-agent":
            attributes["user_agent.original"] = value
    return attributes
