"""Serves the web page on its own port, and forwards its calls, which only read, to the service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import grpc
import orjson
from google.protobuf import json_format
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import status_pb2
from grpc_status import rpc_status
from memoir.v1 import graph_service_pb2, memory_service_pb2, statistics_service_pb2
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as AsgiMessage

from server.api.grpc.interceptors.observation import CORRELATION_HEADER
from server.api.http.bodies import Bodies, BodyLimits
from server.api.http.exchange import Exchange, message_of
from server.api.http.faults import (
    JSON,
    answer_or_refuse,
    error_response,
    log_refusal,
    refusal_response,
)
from server.api.http.serving import HttpOptions, build_application, serving_http
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
MAX_TOTAL_BYTES: Final = 128 * 1024 * 1024
CALL_SECONDS: Final = 15.0
_FORWARDED_HEADERS: Final = ("authorization", CORRELATION_HEADER, "traceparent", "tracestate")


class Gateway:
    """Serves `POST /api/{service}/{method}` in protobuf's JSON, for the methods in `METHODS`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._bodies = Bodies(BodyLimits(MAX_REQUEST_BYTES, MAX_TOTAL_BYTES))

    async def handle(self, request: Request) -> Response:
        """Returns the response, or the error, in protobuf's JSON with field names of the .proto."""
        return await answer_or_refuse(request, self._answer(request))

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
            return error_response(_status(error), _correlation_id(error.trailing_metadata()))
        # Without empty fields, which the page does not show.
        value = json_format.MessageToDict(answer, preserving_proto_field_name=True)
        headers = {CORRELATION_HEADER: _correlation_id(await call.trailing_metadata())}
        return Response(orjson.dumps(value), media_type=JSON, headers=headers)


def _method(request: Request) -> MethodDescriptor:
    """Returns the called method.

    Raises:
        Unimplemented: the page may not call it.
        InvalidRequest: the content type is not JSON.
    """
    name = "{service}/{method}".format_map(request.path_params)
    method = METHODS.get(name)
    if method is None:
        raise Unimplemented(name)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        # The form of another site cannot send this type without a CORS preflight.
        raise InvalidRequest([FieldViolation("content-type", f"must be {JSON}")])
    return method


def _metadata(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Returns the headers that are forwarded with a call.

    Raises:
        InvalidRequest: a header contains characters that gRPC cannot transport.
    """
    taken = [(name, headers[name]) for name in _FORWARDED_HEADERS if name in headers]
    violations = [
        FieldViolation(name, "must be printable ASCII")
        for name, value in taken
        if not (value.isascii() and value.isprintable())
    ]
    if violations:
        raise InvalidRequest(violations)
    return taken


def _status(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    # The types of grpcio-status allow only synchronous calls, but it reads only attributes of both.
    status: status_pb2.Status | None = rpc_status.from_call(error)
    if status is None:
        code: Any = error.code()
        status = status_pb2.Status(code=code.value[0], message=error.details() or "")
    return status


def _correlation_id(trailers: grpc.aio.Metadata) -> str:
    return str(trailers.get(CORRELATION_HEADER, ""))


# The page loads only its own files and has no inline code, so no text of a memory can run as code.
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Protection:
    """Refuses requests for other host names, and sets the security headers of every response.

    A page of another site whose name resolves to this address (DNS rebinding) still sends that name
    as the host.
    """

    def __init__(self, application: ASGIApp, hosts: frozenset[str]) -> None:
        self._application = application
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_protected(message: AsgiMessage) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        answer = self._application
        if _host_name(Headers(scope=scope)) not in self._hosts:
            answer = log_refusal(
                Request(scope), refusal_response(403, "not served under this host name")
            )
        await answer(scope, receive, send_protected)


def _host_name(headers: Headers) -> str | None:
    """Returns the host without its port, in lower case; None if it is not a host."""
    host = headers.get("host", "")
    try:
        parts = urlsplit(f"//{host}")
        # Reading the port validates it.
        is_host = parts.netloc == host and parts.username is None and parts.port != 0
    except ValueError:
        return None
    return parts.hostname if is_host else None


MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
_STATIC: Final = Path(__file__).parent / "static"
_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class PageOptions:
    """How to listen, under which host names a proxy serves the page, and the service's address."""

    http: HttpOptions
    names: tuple[str, ...]
    grpc_address: str


@asynccontextmanager
async def serving_page(options: PageOptions) -> AsyncIterator[int]:
    """Serves the page during the block and yields its port.

    Raises:
        CannotListen: the port is taken.
    """
    largest = (("grpc.max_receive_message_length", MAX_ANSWER_BYTES),)
    async with (
        grpc.aio.insecure_channel(options.grpc_address, options=largest) as channel,
        serving_http(page_application(channel, options), options.http) as port,
    ):
        yield port


def page_application(channel: grpc.aio.Channel, options: PageOptions) -> ASGIApp:
    """Returns the application: the page, its files and the gateway."""
    files = Files(_STATIC)
    routes = [
        Route("/", files.handle, methods=["GET"]),
        Route("/static/{path:path}", files.handle, methods=["GET"]),
        Route("/api/{service}/{method}", Gateway(channel).handle, methods=["POST"]),
    ]
    hosts = frozenset(name.lower() for name in (options.http.host, *options.names, *_LOOPBACK))
    return Protection(build_application(routes), hosts)


class Files:
    """Serves the files of the page, which are read once."""

    def __init__(self, directory: Path) -> None:
        self._files = {
            path.relative_to(directory).as_posix(): (path.read_bytes(), _TYPES[path.suffix])
            for path in directory.rglob("*")
            if path.suffix in _TYPES
        }

    async def handle(self, request: Request) -> Response:
        """Returns one file.

        Raises:
            HTTPException: no file has that name.
        """
        found = self._files.get(request.path_params.get("path", "index.html"))
        if found is None:
            raise HTTPException(404)
        body, media_type = found
        return Response(body, media_type=media_type)
