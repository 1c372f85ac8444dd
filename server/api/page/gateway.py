"""Passes the page's calls on to the service as calls of the key's owner: only methods that read.

They go through the same port as everyone's, so authentication, admission, validation, rate limits,
logs and correlation ids are those of any client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import grpc
from aiohttp import web
from google.protobuf import json_format
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from memoir.v1 import graph_service_pb2, memory_service_pb2, statistics_service_pb2

from server.api.page.faults import CORRELATION_ID, failed, refused


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


CALL_SECONDS = 15.0
BODY_SECONDS = 5.0
_PASSED_ON = ("authorization", CORRELATION_ID, "traceparent", "tracestate")


class Gateway:
    """`POST /api/{service}/{method}` with protobuf's JSON, for the methods of `METHODS`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answers one call: protobuf's JSON with the names of the .proto, or the error as JSON."""
        method = METHODS.get("{service}/{method}".format_map(request.match_info))
        if method is None:
            return refused(grpc.StatusCode.UNIMPLEMENTED, "not a method that the page may call")
        if request.content_type != "application/json":
            # Another site's form cannot send this type without a CORS preflight.
            return refused(grpc.StatusCode.INVALID_ARGUMENT, "the body must be application/json")
        try:
            async with asyncio.timeout(BODY_SECONDS):
                message = json_format.Parse(
                    await request.text(), GetMessageClass(method.input_type)()
                )
            metadata = _metadata(request.headers)
        except (json_format.ParseError, ValueError, LookupError) as error:
            return refused(grpc.StatusCode.INVALID_ARGUMENT, f"the request is malformed: {error}")
        except TimeoutError:
            return refused(grpc.StatusCode.DEADLINE_EXCEEDED, "the body did not arrive in time")
        return await self._call(method, message, metadata)

    async def _call(
        self, method: MethodDescriptor, message: Message, metadata: list[tuple[str, str]]
    ) -> web.Response:
        send: grpc.aio.UnaryUnaryMultiCallable[Message, Message] = self._channel.unary_unary(
            f"/{method.containing_service.full_name}/{method.name}",
            request_serializer=GetMessageClass(method.input_type).SerializeToString,
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        call = send(message, metadata=grpc.aio.Metadata(*metadata), timeout=CALL_SECONDS)
        try:
            answer = await call
            trailers = await call.trailing_metadata()
        except grpc.aio.AioRpcError as error:
            return failed(error)
        text = json_format.MessageToJson(answer, preserving_proto_field_name=True, indent=None)
        ids = {name: str(value) for name, value in trailers if name == CORRELATION_ID}
        return web.Response(text=text, content_type="application/json", headers=ids)


def _metadata(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Returns the headers that are passed on with a call.

    Raises:
        ValueError: a header has characters that gRPC cannot transport.
    """
    taken = [(name, headers[name]) for name in _PASSED_ON if name in headers]
    for name, value in taken:
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"characters in {name}")
    return taken
