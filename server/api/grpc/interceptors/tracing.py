"""The span of each call, and its attributes by the semantic conventions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

import grpc
from opentelemetry import trace
from opentelemetry.context import attach, detach
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.util.types import AttributeValue

from server.api.grpc.interceptors.context import CallContext, CallInterceptor, Method, Proceed
from server.telemetry.spans import received_context


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
    kind, _, place = unquote(context.peer()).partition(":")
    address, _, port = place.rpartition(":")
    if kind in _NETWORKS and port.isdecimal():
        attributes["network.peer.address"] = address.strip("[]")
        attributes["network.peer.port"] = int(port)
    for key, value in context.invocation_metadata():
        if key == "user-agent":
            attributes["user_agent.original"] = value
    return attributes
