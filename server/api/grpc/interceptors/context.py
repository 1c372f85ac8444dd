"""The common view of a call for all interceptors: its context, its method and its outcome."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Never, TypeAlias

import grpc
from google.protobuf.message import Message

from server.api.grpc.access_rules import Access, MethodClass, access_to, method_class
from server.api.grpc.decoding import Codec, message_type_of
from server.core.request_context import current_request

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
Metadata: TypeAlias = tuple[tuple[str, str | bytes], ...]


class CallContext(grpc.aio.ServicerContext[Any, Any]):
    """gRPC's own context, with three differences.

    It reads and writes messages instead of bytes; it counts written messages in `messages_written`
    and `bytes_written`; and the trailers that interceptors add are sent with those of the handler.
    """

    def __init__(self, inner: Context, codec: Codec) -> None:
        self._inner = inner
        self._codec = codec
        self._added_trailers: Metadata = ()
        self._handler_trailers: Metadata = ()
        self._metadata: Metadata | None = None
        self.request_bytes = 0
        """The size of the request once it is read; 0 if the client streams."""
        self.messages_written = 0
        self.bytes_written = 0

    def add_trailer(self, key: str, value: str) -> None:
        """Sends this trailer with the response, in addition to the handler's trailers."""
        self._added_trailers = (*self._added_trailers, (key, value))
        self._inner.set_trailing_metadata(self._handler_trailers + self._added_trailers)

    async def read(self) -> Any:
        raw = await self._inner.read()
        return raw if raw is grpc.aio.EOF else self._codec.decode(raw)

    async def write(self, message: Any) -> None:
        raw = self._codec.encode(message)
        await self._inner.write(raw)
        self.messages_written += 1
        self.bytes_written += len(raw)

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Any = ()
    ) -> Never:
        trailers = self._handler_trailers + tuple(trailing_metadata) + self._added_trailers
        await self._inner.abort(code, details, trailers)

    async def abort_with_status(self, status: grpc.Status) -> Never:
        await self.abort(status.code, status.details, status.trailing_metadata)

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        await self._inner.send_initial_metadata(initial_metadata)

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        self._handler_trailers = tuple(trailing_metadata)
        self._inner.set_trailing_metadata(self._handler_trailers + self._added_trailers)

    def trailing_metadata(self) -> Any:
        return self._inner.trailing_metadata()

    def invocation_metadata(self) -> Any:
        # Cached, because gRPC builds a new tuple for every call.
        if self._metadata is None:
            self._metadata = tuple(self._inner.invocation_metadata() or ())
        return self._metadata

    def set_code(self, code: grpc.StatusCode) -> None:
        self._inner.set_code(code)

    def code(self) -> grpc.StatusCode:
        return self._inner.code()

    def set_details(self, details: str) -> None:
        self._inner.set_details(details)

    def details(self) -> str:
        return self._inner.details()

    def set_compression(self, compression: grpc.Compression) -> None:
        self._inner.set_compression(compression)

    def disable_next_message_compression(self) -> None:
        self._inner.disable_next_message_compression()

    def peer(self) -> str:
        return self._inner.peer()

    def peer_identities(self) -> Iterable[bytes] | None:
        return self._inner.peer_identities()

    def peer_identity_key(self) -> str | None:
        return self._inner.peer_identity_key()

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        return self._inner.auth_context()

    def time_remaining(self) -> float:
        return self._inner.time_remaining()

    def add_done_callback(self, callback: Any) -> None:
        self._inner.add_done_callback(callback)

    def cancelled(self) -> bool:
        return self._inner.cancelled()

    def done(self) -> bool:
        return self._inner.done()


Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

PUBLIC_SERVICES = frozenset(
    {
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }
)


@dataclass(frozen=True, slots=True)
class Method:
    """A called method. `name` is `package.Service/Method`; `exists` is false if it is unknown.

    Public methods (health and reflection) may be called without a key and during a drain.
    """

    name: str
    is_public: bool
    streams_requests: bool
    streams_responses: bool
    codec: Codec
    kind: MethodClass
    access: Access
    exists: bool = True


_LONGEST_NAME = 200


def method_name(path: str) -> str:
    """Returns the name in a path, up to 200 characters, because clients can invent long names."""
    return path.removeprefix("/")[:_LONGEST_NAME]


def describe(path: str, handler: Handler, *, exists: bool = True) -> Method:
    """Returns the method at `path`, which is `/package.Service/Method`."""
    name = method_name(path)
    return Method(
        name=name,
        is_public=name.partition("/")[0] in PUBLIC_SERVICES,
        streams_requests=bool(handler.request_streaming),
        streams_responses=bool(handler.response_streaming),
        kind=method_class(name, streams=handler.request_streaming or handler.response_streaming),
        codec=Codec(
            name,
            handler.request_deserializer,
            handler.response_serializer,
            _protobuf_request(name, handler),
        ),
        access=access_to(name),
        exists=exists,
    )


def _protobuf_request(name: str, handler: Handler) -> Callable[[], Message] | None:
    """Returns the type of the requests; None if a door uses another encoding than protobuf."""
    kind = message_type_of(name)
    if kind is not None and handler.request_deserializer == kind.FromString:
        return kind
    return None


Proceed: TypeAlias = Callable[[Any, CallContext], Awaitable[Any]]


class CallInterceptor(ABC):
    """Runs code around every call."""

    @abstractmethod
    async def intercept(
        self, method: Method, request: Any, context: CallContext, proceed: Proceed
    ) -> Any:
        """Runs the rest of the call with `await proceed(request, context)`.

        `request` is an async iterator if the client streams. `proceed` returns None if the server
        streams: responses are then written to the context.
        """


# gRPC rounds timeouts up on the wire, by 0.1 s from 10 s on, and clients use their own clocks.
_DEADLINE_SLACK_SECONDS = 0.15


def final_code(context: Context, error: BaseException | None) -> grpc.StatusCode:
    """Returns the code of a call that ended with `error`, or without one."""
    # An internal error of gRPC means that the client was gone when the response was sent.
    if isinstance(error, asyncio.CancelledError | grpc.aio.InternalError):
        return cancellation_code()
    if error is None or isinstance(error, grpc.aio.AbortError):
        # gRPC returns None if no code was set, contrary to its type.
        code: grpc.StatusCode | None = context.code()
        return code if code is not None else grpc.StatusCode.OK
    return grpc.StatusCode.UNKNOWN


def cancellation_code() -> grpc.StatusCode:
    """Returns DEADLINE_EXCEEDED if the call's time is up, else CANCELLED.

    In both cases gRPC cancels the task of the call without a reason.
    """
    left = current_request().deadline - time.monotonic()
    if left <= _DEADLINE_SLACK_SECONDS:
        return grpc.StatusCode.DEADLINE_EXCEEDED
    return grpc.StatusCode.CANCELLED
