"""Calls from within the process, for doors other than gRPC.

Such a call runs through the same interceptors as a call over gRPC, so that it is authenticated,
limited, bounded, observed and answered in the same way. Only the transport differs: the door reads
the request and writes the response, in its own encoding.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Never, TypeAlias, TypeVar

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.rpc import status_pb2

from server.api.grpc.interceptors.chain import InterceptorChain, behavior_of
from server.api.grpc.interceptors.context import Handler, Metadata
from server.api.grpc.interceptors.observation import CORRELATION_HEADER
from server.api.grpc.server import CONTRACT, Servicers, method_handler, servicer_of
from server.api.grpc.status import to_status
from server.core.errors import DeadlineExceeded
from server.core.request_context import current_request

_STATUS_TRAILER: Final = "grpc-status-details-bin"

Read: TypeAlias = Callable[[bytes], Any]
Write: TypeAlias = Callable[[Any], bytes]
Send: TypeAlias = Callable[[bytes], Awaitable[None]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LocalRequest:
    """A call as its door received it.

    `metadata` has the keys in lower case; `timeout` is in seconds, and None leaves the deadline to
    the server; `peer` is the client's address as gRPC writes it, such as `ipv4:127.0.0.1:50051`.
    """

    body: bytes
    metadata: Metadata
    peer: str
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class LocalAnswer:
    """How a call ended: the response of a unary call, or the status with its details."""

    body: bytes
    status: status_pb2.Status | None
    trailers: Metadata
    traceparent: str | None

    @property
    def correlation_id(self) -> str:
        """The id of the call in logs and traces."""
        return _correlation_id(self.trailers)


class LocalMethod:
    """A method of the contract behind the interceptors, in the encoding of a door."""

    def __init__(self, handler: Handler) -> None:
        self._behavior = behavior_of(handler)

    async def call(self, request: LocalRequest, send: Send | None = None) -> LocalAnswer:
        """Runs the call in the current task, whose cancellation cancels it.

        The responses of a stream are passed to `send` one by one.
        """
        context = _LocalContext(request, send)
        body: bytes | None = None
        try:
            async with asyncio.timeout(request.timeout):
                body = await self._behavior(request.body, context)
        except grpc.aio.AbortError:
            pass  # The context has the status.
        except TimeoutError:
            # As gRPC does at its client's deadline, the timeout has cancelled the call.
            context.status = to_status(DeadlineExceeded(), _correlation_id(context.trailers))
        # The responses of a stream were written to the context.
        return LocalAnswer(body or b"", context.status, context.trailers, context.traceparent)


class LocalCalls:
    """The methods of the contract, behind the server's interceptors."""

    def __init__(self, servicers: Servicers, chain: InterceptorChain) -> None:
        self._servicers = servicers
        self._chain = chain
        self._context = contextvars.copy_context()

    def method(self, method: MethodDescriptor, read: Read, write: Write) -> LocalMethod:
        """Returns a method whose requests `read` decodes and whose responses `write` encodes.

        Both run within the call. `read` may raise InvalidRequest.
        """
        servicer = servicer_of(method.containing_service, self._servicers)
        handler = method_handler(method, servicer, read, write)
        path = f"/{method.containing_service.full_name}/{method.name}"
        return LocalMethod(self._chain.wrap(path, handler))

    def start(self, calls: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Runs calls in a task with a new context.

        A door's task could otherwise inherit the context of an earlier request on its connection.
        """
        return asyncio.create_task(calls, context=self._context.copy())


CONTRACT_METHODS: Final[Mapping[str, MethodDescriptor]] = {
    f"{service.full_name}/{method.name}": method
    for service in CONTRACT
    for method in service.methods
}


class _LocalContext(grpc.aio.ServicerContext[Any, Any]):
    """The context that gRPC would pass to a handler, without its transport."""

    def __init__(self, request: LocalRequest, send: Send | None) -> None:
        self._request = request
        self._send = send
        self._end = asyncio.get_running_loop().time() + (request.timeout or 0.0)
        # gRPC's own context also returns None until a code is set, contrary to its type.
        self._code: Any = None
        self.status: status_pb2.Status | None = None
        self.trailers: Metadata = ()
        self.traceparent: str | None = None

    async def read(self) -> Any:
        return grpc.aio.EOF

    async def write(self, message: Any) -> None:
        assert self._send is not None
        await self._send(message)

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Any = ()
    ) -> Never:
        self._code = code
        self.set_trailing_metadata(trailing_metadata)
        self.status = _status_in(self.trailers)
        if self.status is None:
            self.status = status_pb2.Status(code=code.value[0], message=details)
        raise grpc.aio.AbortError("the call was aborted")

    async def abort_with_status(self, status: grpc.Status) -> Never:
        await self.abort(status.code, status.details, status.trailing_metadata)

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        del initial_metadata  # No door can send it.

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        self.trailers = tuple(trailing_metadata)
        self.traceparent = current_request().traceparent

    def trailing_metadata(self) -> Any:
        return self.trailers

    def invocation_metadata(self) -> Any:
        return self._request.metadata

    def set_code(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> grpc.StatusCode:
        code: grpc.StatusCode = self._code
        return code

    def set_details(self, details: str) -> None:
        del details  # Errors have a status with details.

    def set_compression(self, compression: grpc.Compression) -> None:
        del compression  # Doors have their own compression.

    def disable_next_message_compression(self) -> None:
        pass

    def peer(self) -> str:
        return self._request.peer

    def peer_identities(self) -> Iterable[bytes] | None:
        return None

    def peer_identity_key(self) -> str | None:
        return None

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        return {}

    def time_remaining(self) -> float:
        # gRPC's own context also returns None if there is no deadline, contrary to its type.
        remaining: Any = None
        if self._request.timeout is not None:
            remaining = max(0.0, self._end - asyncio.get_running_loop().time())
        seconds: float = remaining
        return seconds


def _correlation_id(trailers: Metadata) -> str:
    return next((str(value) for key, value in trailers if key == CORRELATION_HEADER), "")


def _status_in(trailers: Metadata) -> status_pb2.Status | None:
    for key, value in trailers:
        if key == _STATUS_TRAILER and isinstance(value, bytes):
            return status_pb2.Status.FromString(value)
    return None
