"""Completes the span that the OpenTelemetry interceptor opened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

import grpc
from opentelemetry import trace
from opentelemetry.trace import Status, StatusCode
from opentelemetry.util.types import AttributeValue

from server.transport.interceptors.context import CallContext
from server.transport.interceptors.method import Method

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


def complete_span(
    span: trace.Span, method: Method, context: CallContext, code: grpc.StatusCode
) -> None:
    """Sets the stable RPC attributes of the semantic conventions and the right status.

    The interceptor that opened the span notices neither deadlines nor cancellations, and would
    record OK for both.
    """
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
    """Where the call comes from: a peer is `ipv4:address:port`, `ipv6:[address]:port` or a path."""
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
