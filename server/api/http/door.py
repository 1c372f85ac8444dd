"""Converts HTTP requests to calls of the contract, and their results to HTTP responses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextvars import ContextVar
from typing import Any, Final, TypeAlias, TypeVar

import orjson
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import code_pb2, status_pb2
from memoir.v1.project_service_pb2 import GetProjectRequest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope
from starlette.types import Send as AsgiSend

from server.api.grpc.interceptors.observation import CORRELATION_HEADER
from server.api.grpc.local import (
    CONTRACT_METHODS,
    LocalAnswer,
    LocalCalls,
    LocalMethod,
    LocalRequest,
)
from server.api.grpc.local import Send as SendMessage
from server.api.http.exchange import Bodies, BodyLimits, Exchange
from server.api.http.faults import (
    JSON,
    Rename,
    failed,
    logged,
    or_refusal,
    refused,
    unacceptable,
)
from server.core.errors import InvalidRequest

T = TypeVar("T")
Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
ReadRequest: TypeAlias = Callable[[Exchange], Message]
WriteResponse: TypeAlias = Callable[[Any, Exchange], object]

IGNORED: Final = "memoir-ignored"
NOTICE: Final = "memoir-notice"
_LONGEST_HEADER: Final = 1024
_OWN_TRAILERS: Final = "memoir-"
_NDJSON: Final = "application/x-ndjson"
_GET_PROJECT: Final = "memoir.v1.ProjectService/GetProject"
_UNAUTHENTICATED: Final[int] = code_pb2.UNAUTHENTICATED

_exchange: ContextVar[Exchange] = ContextVar("http_exchange")


class CallFailed(Exception):
    """One of the calls of an HTTP request has ended with an error."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(status.message)
        self.status = status


class Session:
    """Makes the calls of one HTTP request, all with its correlation id."""

    def __init__(self, methods: Callable[[str], LocalMethod], exchange: Exchange) -> None:
        self._methods = methods
        self._exchange = exchange
        self._metadata = exchange.metadata()
        self.last: LocalAnswer | None = None
        """The answer to the latest call."""

    async def call(self, name: str, request: Message) -> Any:
        """Calls `package.Service/Method` and returns its response.

        Raises:
            CallFailed: it ended with an error.
        """
        answer = await self._methods(name).call(
            LocalRequest(
                request.SerializeToString(),
                self._metadata,
                self._exchange.peer(),
                self._exchange.timeout(),
            )
        )
        if self.last is None and answer.correlation_id:
            others = (item for item in self._metadata if item[0] != CORRELATION_HEADER)
            self._metadata = (*others, (CORRELATION_HEADER, answer.correlation_id))
        self.last = answer
        if answer.status is not None:
            raise CallFailed(answer.status)
        return GetMessageClass(CONTRACT_METHODS[name].output_type).FromString(answer.body)


Respond: TypeAlias = Callable[[Exchange, Session], Awaitable[object]]


class Door:
    """Creates the endpoints."""

    def __init__(self, calls: LocalCalls, limits: BodyLimits) -> None:
        self._calls = calls
        self._bodies = Bodies(limits)
        self._plain: dict[str, LocalMethod] = {}

    def one_call(
        self, name: str, read: ReadRequest, write: WriteResponse, rename: Rename | None = None
    ) -> Endpoint:
        """Returns an endpoint for one unary call of `package.Service/Method`.

        `read` and `write` run within the call, after authentication and admission. `write` returns
        the JSON to send. `rename` renames the fields in errors.
        """
        method = self._method(name, read, write)

        async def endpoint(request: Request) -> Response:
            async def respond(exchange: Exchange) -> Response:
                _exchange.set(exchange)
                answer = await method.call(_local_request(exchange))
                return _response(answer, exchange, rename)

            return await self._respond(request, respond)

        return endpoint

    def several_calls(self, respond: Respond, rename: Rename | None = None) -> Endpoint:
        """Returns an endpoint that makes several calls; `respond` returns the JSON to send."""

        async def endpoint(request: Request) -> Response:
            async def run(exchange: Exchange) -> Response:
                session = Session(self._plain_method, exchange)
                try:
                    body = await _after_key(respond, exchange, session)
                except CallFailed as error:
                    assert session.last is not None
                    return failed(error.status, session.last.correlation_id, rename)
                except InvalidRequest as invalid:
                    return unacceptable(request, invalid, rename)
                headers = _headers(session.last, exchange)
                return Response(orjson.dumps(body), media_type=JSON, headers=headers)

            return await self._respond(request, run)

        return endpoint

    def stream(self, name: str, read: ReadRequest, write: WriteResponse) -> Endpoint:
        """Returns an endpoint for a streaming call, which sends each response as a line of JSON."""
        method = self._method(name, read, write)

        async def endpoint(request: Request) -> Response:
            async def respond(exchange: Exchange) -> Response:
                return _Stream(self._calls, method, exchange)

            return await self._respond(request, respond)

        return endpoint

    def _method(self, name: str, read: ReadRequest, write: WriteResponse) -> LocalMethod:
        def decode(_body: bytes) -> Message:
            return read(_exchange.get())

        def encode(message: Any) -> bytes:
            return orjson.dumps(write(message, _exchange.get()))

        return self._calls.method(CONTRACT_METHODS[name], decode, encode)

    def _plain_method(self, name: str) -> LocalMethod:
        """Returns the method with unconverted messages of the contract."""
        if name not in self._plain:
            method = CONTRACT_METHODS[name]
            self._plain[name] = self._calls.method(
                method,
                GetMessageClass(method.input_type).FromString,
                GetMessageClass(method.output_type).SerializeToString,
            )
        return self._plain[name]

    async def _respond(
        self, request: Request, respond: Callable[[Exchange], Coroutine[Any, Any, Response]]
    ) -> Response:
        """Reads the request and returns the response, also for errors of the door itself."""

        async def answer() -> Response:
            exchange = Exchange(request, await self._bodies.read(request))
            return await _while_connected(self._calls.start(respond(exchange)), request.receive)

        return await or_refusal(request, answer())


async def _after_key(respond: Respond, exchange: Exchange, session: Session) -> object:
    """Returns the result of `respond`. Without a valid key, an error reveals only that.

    Raises:
        CallFailed: a call ended with an error; without a valid key, that error.
        InvalidRequest: the request is malformed.
    """
    try:
        return await respond(exchange, session)
    except InvalidRequest:
        if session.last is None:
            await _check_key(session)
        raise


async def _check_key(session: Session) -> None:
    """Raises CallFailed if the request has no valid key, by a call that reads little."""
    try:
        await session.call(_GET_PROJECT, GetProjectRequest())
    except CallFailed as error:
        if error.status.code == _UNAUTHENTICATED:
            raise


async def _while_connected(calls: asyncio.Task[T], receive: Receive) -> T:
    """Returns the result of `calls`, but cancels them if the client disconnects, as gRPC does.

    Raises:
        ClientDisconnect: the client disconnected.
    """
    gone = asyncio.ensure_future(receive())
    gone.add_done_callback(lambda _: calls.cancel())
    try:
        return await calls
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if gone.done() and not gone.cancelled() and not (task and task.cancelling()):
            raise ClientDisconnect from None
        raise
    finally:
        gone.cancel()


def _local_request(exchange: Exchange) -> LocalRequest:
    return LocalRequest(exchange.body, exchange.metadata(), exchange.peer(), exchange.timeout())


def _response(answer: LocalAnswer, exchange: Exchange, rename: Rename | None) -> Response:
    headers = _headers(answer, exchange)
    if answer.status is not None:
        response = failed(answer.status, answer.correlation_id, rename)
        response.headers.update(headers)
        return response
    return Response(answer.body, media_type=JSON, headers=headers)


def _headers(answer: LocalAnswer | None, exchange: Exchange) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    if answer is not None:
        headers = {
            key: value
            for key, value in answer.trailers
            if isinstance(value, str)
            and (key == CORRELATION_HEADER or key.startswith(_OWN_TRAILERS))
        }
        if answer.traceparent:
            headers["traceparent"] = answer.traceparent
    for name, values in ((IGNORED, exchange.ignored), (NOTICE, exchange.notices)):
        if values:
            # Escaped as JSON, so that no text from the client can end the header.
            headers[name] = ", ".join(json.dumps(value)[1:-1] for value in values)[:_LONGEST_HEADER]
    return headers


class _Stream(Response):
    """Sends each response of a stream as a line of JSON, and a late error as an `error` line."""

    def __init__(self, calls: LocalCalls, method: LocalMethod, exchange: Exchange) -> None:
        super().__init__()
        self._calls = calls
        self._method = method
        self._exchange = exchange
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: AsgiSend) -> None:
        async def send_line(line: bytes) -> None:
            await self._start(send)
            await send({"type": "http.response.body", "body": line + b"\n", "more_body": True})

        try:
            call = self._calls.start(self._run(send_line))
            answer = await _while_connected(call, receive)
        except ClientDisconnect:
            return
        if answer.status is not None and not self._started:
            await _response(answer, self._exchange, None)(scope, receive, send)
            return
        if answer.status is not None:
            await send_line(bytes(failed(answer.status, answer.correlation_id).body))
        await self._start(send)
        await send({"type": "http.response.body", "body": b""})

    async def _run(self, send: SendMessage) -> LocalAnswer:
        _exchange.set(self._exchange)
        return await self._method.call(_local_request(self._exchange), send)

    async def _start(self, send: AsgiSend) -> None:
        if not self._started:
            self._started = True
            headers = [(b"content-type", _NDJSON.encode()), (b"cache-control", b"no-store")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})


def refusing(http_status: int, message: str) -> Endpoint:
    """Returns an endpoint that refuses every request with the same response."""

    async def endpoint(request: Request) -> Response:
        return logged(request, refused(http_status, message))

    return endpoint
