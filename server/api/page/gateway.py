"""Passes the page's calls on to the service as calls of the key's owner: only methods that read.

They go through the same port as everyone's, so authentication, admission, validation, rate limits,
logs and correlation ids are those of any client.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import grpc
import orjson
from google.protobuf import json_format
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import status_pb2
from grpc_status import rpc_status
from memoir.v1 import graph_service_pb2, memory_service_pb2, statistics_service_pb2
from starlette.requests import Request
from starlette.responses import Response

from server.api.grpc.interceptors.observation import CORRELATION_HEADER
from server.api.http.bodies import Bodies, BodyLimits
from server.api.http.exchange import Exchange, message_of
from server.api.http.faults import JSON, failed, or_refusal
from server.core.errors import FieldViolation, InvalidRequest, Unimplemented


def _methods(file: FileDescriptor, service: str, *names: str) -> dict[str, MethodDescriptor]:
    described = file.services_by_name[service].methods_by_name
    return {f"{service}/{name}": described[name] for name in names}


METHODS: Mapping[str, MethodDescriptor] = {
    **_methods(
        memory_service_pb2.DESCRIPTOR,
        "MemoryService",
        "SearchMemories",
        "GetMemory",
        "ListMemoryEvents",
        "ListScopes",
    ),
    **_methods(
        graph_service_pb2.DESCRIPTOR,
        "GraphService",
        "ListEntities",
        "ListRelations",
        "GetEntity",
    ),
    **_methods(statistics_service_pb2.DESCRIPTOR, "StatisticsService", "GetStatistics"),
}

MAX_REQUEST_BYTES: Final = 64 * 1024
CALL_SECONDS: Final = 15.0
_PASSED_ON: Final = ("authorization", CORRELATION_HEADER, "traceparent", "tracestate")


class Gateway:
    """`POST /api/{service}/{method}` with protobuf's JSON, for the methods of `METHODS`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._bodies = Bodies(BodyLimits(MAX_REQUEST_BYTES))

    async def handle(self, request: Request) -> Response:
        """Answers one call: protobuf's JSON with the names of the .proto, or the error as JSON."""
        return await or_refusal(request, self._answer(request))

    async def _answer(self, request: Request) -> Response:
        method = _method(request)
        exchange = Exchange(request, await self._bodies.read(request))
        message = message_of(GetMessageClass(method.input_type), exchange.json_object())
        return await self._call(method, message, _metadata(request.headers))

    async def _call(
        self, method: MethodDescriptor, message: Message, metadata: list[tuple[str, str]]
    ) -> Response:
        send: grpc.aio.UnaryUnaryMultiCallable[Message, Message] = self._channel.unary_unary(
            f"/{method.containing_service.full_name}/{method.name}",
            request_serializer=GetMessageClass(method.input_type).SerializeToString,
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        call = send(message, metadata=grpc.aio.Metadata(*metadata), timeout=CALL_SECONDS)
        try:
            answer = await call
        except grpc.aio.AioRpcError as error:
            return failed(_status(error), _correlation_id(error.trailing_metadata()))
        # Without the fields that are empty, for a page shows only what there is.
        value = json_format.MessageToDict(answer, preserving_proto_field_name=True)
        headers = {CORRELATION_HEADER: _correlation_id(await call.trailing_metadata())}
        return Response(orjson.dumps(value), media_type=JSON, headers=headers)


def _method(request: Request) -> MethodDescriptor:
    """The method that is called.

    Raises:
        Unimplemented: the page may not call it.
        InvalidRequest: the body is not JSON by its type.
    """
    name = "{service}/{method}".format_map(request.path_params)
    method = METHODS.get(name)
    if method is None:
        raise Unimplemented(name)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        # Another site's form cannot send this type without a CORS preflight.
        raise InvalidRequest([FieldViolation("content-type", f"must be {JSON}")])
    return method


def _metadata(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers that are passed on with a call.

    Raises:
        InvalidRequest: a header has characters that gRPC cannot transport.
    """
    taken = [(name, headers[name]) for name in _PASSED_ON if name in headers]
    violations = [
        FieldViolation(name, "must be printable ASCII")
        for name, value in taken
        if not (value.isascii() and value.isprintable())
    ]
    if violations:
        raise InvalidRequest(violations)
    return taken


def _status(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    # The types of grpcio-status cover only synchronous calls; both kinds have what it reads.
    status: status_pb2.Status | None = rpc_status.from_call(error)
    if status is None:
        code: Any = error.code()
        status = status_pb2.Status(code=code.value[0], message=error.details() or "")
    return status


def _correlation_id(trailers: grpc.aio.Metadata) -> str:
    return str(trailers.get(CORRELATION_HEADER, ""))
