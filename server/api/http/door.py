"""Converts HTTP requests to calls of the contract, and their results to HTTP responses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias, TypeVar

import orjson
from google.protobuf.descriptor import MethodDescriptor
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
from server.api.http.bodies import Bodies, BodyLimits
from server.api.http.exchange import Exchange
from server.api.http.faults import (
    JSON,
    Rename,
    answer_or_refuse,
    error_response,
    log_refusal,
    refusal_response,
    request_error,
)
from server.core.errors import InvalidRequest

T = TypeVar("T")
Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
ReadRequest: TypeAlias = Callable[[Exchange], Message]
WriteResponse: TypeAlias = Callable[[Any, Exchange], object]

IGNORED: Final = "memoir-ignored"
NOTICE: Final = "memoir-notice"
_LONGEST_HEADER: Final = 1024
_TRAILER_PREFIX: Final = "memoir-"
_NDJSON: Final = "application/x-ndjson"
_UNAUTHENTICATED: Final[int] = code_pb2.UNAUTHENTICATED

_METHODS: Final[Mapping[Any, MethodDescriptor]] = {
    method.input_type: method for method in CONTRACT_METHODS.values()
}
"""The methods of the contract by their requests, each of which belongs to one method."""

_exchange: ContextVar[Exchange] = ContextVar("http_exchange")


class CallFailed(Exception):
    """One of the calls of an HTTP request has ended with an error."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(status.message)
        self.status = status


class Session:
    """Makes the calls of one HTTP request, all with its correlation id."""

    def __init__(
        self, method_of: Callable[[MethodDescriptor], LocalMethod], exchange: Exchange
    ) -> None:
        self._method_of = method_of
        self._exchange = exchange
        self._metadata = exchange.metadata()
        self.last: LocalAnswer | None = None
        """The answer to the latest call."""

    async def call(self, request: Message) -> Any:
        """Calls the method that takes this request, and returns its response.

        Raises:
            CallFailed: it ended with an error.
        """
        method = _METHODS[request.DESCRIPTOR]
        sent = replace(
            _local_request(self._exchange),
            body=request.SerializeToString(),
            metadata=self._metadata,
        )
        answer = await self._method_of(method).call(sent)
        if self.last is None and answer.correlation_id:
            others = (item for item in self._metadata if item[0] != CORRELATION_HEADER)
            self._metadata = (*others, (CORRELATION_HEADER, answer.correlation_id))
        self.last = answer
        if answer.status is not None:
            raise CallFailed(answer.status)
        return GetMessageClass(method.output_type).FromString(answer.body)


Respond: TypeAlias = Callable[[Exchange, Session], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class OneCall:
    """Answers an HTTP request by the call that takes a `request` of this type.

    `read` and `write` run within the call, after authentication and admission. `write` returns the
    JSON to send. `rename` renames the fields in errors.
    """

    request: type[Message]
    read: ReadRequest
    write: WriteResponse
    rename: Rename | None = None


@dataclass(frozen=True, slots=True)
class SeveralCalls:
    """Answers an HTTP request by several calls; `respond` returns the JSON to send."""

    respond: Respond
    rename: Rename | None = None


class Door:
    """Creates the endpoints."""

    def __init__(self, calls: LocalCalls, limits: BodyLimits) -> None:
        self._calls = calls
        self._bodies = Bodies(limits)
        self._plain: dict[MethodDescriptor, LocalMethod] = {}

    def endpoint(self, answer: OneCall | SeveralCalls) -> Endpoint:
        """Returns an endpoint that answers in this way.

        Each response of a streaming call is sent as a line of JSON.
        """
        if isinstance(answer, SeveralCalls):
            return self._several_calls(answer)
        call, method = answer, _METHODS[answer.request.DESCRIPTOR]
        local = self._calls.method(
            method,
            lambda _body: call.read(_exchange.get()),
            lambda message: orjson.dumps(call.write(message, _exchange.get())),
        )

        async def respond(exchange: Exchange) -> Response:
            if method.server_streaming:
                return _Stream(self._calls, local, exchange)
            _exchange.set(exchange)
            return _response(await local.call(_local_request(exchange)), exchange, call.rename)

        return self._endpoint(respond)

    def _several_calls(self, calls: SeveralCalls) -> Endpoint:
        async def respond(exchange: Exchange) -> Response:
            session = Session(self._plain_method, exchange)
            try:
                body = await _respond_to_valid_key(calls.respond, exchange, session)
            except CallFailed as error:
                assert session.last is not None
                return error_response(error.status, session.last.correlation_id, calls.rename)
            except InvalidRequest as invalid:
                return request_error(exchange.request, invalid, calls.rename)
            headers = _headers(session.last, exchange)
            return Response(orjson.dumps(body), media_type=JSON, headers=headers)

        return self._endpoint(respond)

    def _plain_method(self, method: MethodDescriptor) -> LocalMethod:
        """Returns the method with unconverted messages of the contract."""
        if method not in self._plain:
            self._plain[method] = self._calls.method(
                method,
                GetMessageClass(method.input_type).FromString,
                GetMessageClass(method.output_type).SerializeToString,
            )
        return self._plain[method]

    def _endpoint(self, respond: Callable[[Exchange], Coroutine[Any, Any, Response]]) -> Endpoint:
        """Returns an endpoint that reads requests and also answers errors of the door itself."""

        async def answer(request: Request) -> Response:
            exchange = Exchange(request, await self._bodies.read(request))
            return await _while_connected(self._calls.start(respond(exchange)), request.receive)

        async def endpoint(request: Request) -> Response:
            return await answer_or_refuse(request, answer(request))

        return endpoint


async def _respond_to_valid_key(respond: Respond, exchange: Exchange, session: Session) -> object:
    """Returns the result of `respond`. A client without a valid key learns only that it is invalid.

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
    """Checks the key with a cheap call; raises CallFailed if it is not valid."""
    try:
        await session.call(GetProjectRequest())
    except CallFailed as error:
        if error.status.code == _UNAUTHENTICATED:
            raise


async def _while_connected(calls: asyncio.Task[T], receive: Receive) -> T:
    """Returns the result of `calls`, but cancels them if the client disconnects, as gRPC does.

    Raises:
        ClientDisconnect: the client disconnected.
    """
    disconnected = asyncio.ensure_future(receive())
    disconnected.add_done_callback(lambda _: calls.cancel())
    try:
        return await calls
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if (
            disconnected.done()
            and not disconnected.cancelled()
            and not (task and task.cancelling())
        ):
            raise ClientDisconnect from None
        raise
    finally:
        disconnected.cancel()


def _local_request(exchange: Exchange) -> LocalRequest:
    return LocalRequest(exchange.body, exchange.metadata(), exchange.peer(), exchange.timeout())


def _response(answer: LocalAnswer, exchange: Exchange, rename: Rename | None) -> Response:
    headers = _headers(answer, exchange)
    if answer.status is not None:
        response = error_response(answer.status, answer.correlation_id, rename)
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
            and (key == CORRELATION_HEADER or key.startswith(_TRAILER_PREFIX))
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
            await send_line(bytes(error_response(answer.status, answer.correlation_id).body))
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
        return log_refusal(request, refusal_response(http_status, message))

    return endpoint
