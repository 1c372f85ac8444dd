"""The frame that all interceptors share: a call of any kind is one coroutine.

gRPC knows four kinds of handler, and a streaming handler comes in two styles: an async generator
that yields, and a coroutine that writes. Here each becomes a coroutine that writes, so that what an
interceptor does around a call runs in the call's own task from its first instant to its last, also
when it is cancelled.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from types import CoroutineType
from typing import Any, TypeAlias

import grpc

from server.transport.interceptors.context import Context, Metadata

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Behavior: TypeAlias = Callable[[Any, Context], Any]
Proceed: TypeAlias = Callable[[Any, Context], Awaitable[Any]]
Continuation: TypeAlias = Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]]

HEALTH_SERVICE = "grpc.health.v1.Health"
PUBLIC_SERVICES = frozenset(
    {
        HEALTH_SERVICE,
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }
)
_FACTORIES = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


@dataclass(frozen=True, slots=True)
class Call:
    """What is known of a call before its request is read."""

    path: str
    metadata: Metadata
    streams_requests: bool
    streams_responses: bool

    @property
    def method(self) -> str:
        """The method as `package.Service/Method`."""
        return self.path.removeprefix("/")

    @property
    def service(self) -> str:
        """The full name of the service."""
        return self.method.partition("/")[0]

    @property
    def is_public(self) -> bool:
        """Whether the method may be called without a key."""
        return self.service in PUBLIC_SERVICES


class CallInterceptor(grpc.aio.ServerInterceptor, ABC):
    """An interceptor that does something around every call."""

    @abstractmethod
    async def intercept(self, call: Call, request: Any, context: Context, proceed: Proceed) -> Any:
        """Runs the rest of the call with `await proceed(request, context)`.

        `request` is an async iterator where the client streams. The answer of `proceed` is None
        where the server streams: responses are written to the context.
        """

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        call = describe(handler_call_details, handler)
        inner = behavior_of(handler)

        async def proceed(request: Any, context: Context) -> Any:
            return await run(inner, request, context)

        async def behavior(request: Any, context: Context) -> Any:
            return await self.intercept(call, request, context, proceed)

        return self.rebuild(handler, behavior)

    def rebuild(self, handler: Handler, behavior: Behavior) -> Handler:
        """The handler with another behaviour."""
        return with_behavior(
            handler, behavior, handler.request_deserializer, handler.response_serializer
        )


def describe(details: grpc.HandlerCallDetails, handler: Handler) -> Call:
    """What is known of the call."""
    return Call(
        path=details.method,
        metadata=tuple(details.invocation_metadata or ()),
        streams_requests=bool(handler.request_streaming),
        streams_responses=bool(handler.response_streaming),
    )


def behavior_of(handler: Handler) -> Behavior:
    """The one of the handler's four functions that its kind uses."""
    requests = "stream" if handler.request_streaming else "unary"
    responses = "stream" if handler.response_streaming else "unary"
    behavior: Behavior = getattr(handler, f"{requests}_{responses}")
    return behavior


def with_behavior(
    handler: Handler,
    behavior: Behavior,
    request_deserializer: Callable[[bytes], Any] | None,
    response_serializer: Callable[[Any], bytes] | None,
) -> Handler:
    """A handler of the same kind; None for a (de)serialiser means raw bytes."""
    factory = _FACTORIES[bool(handler.request_streaming), bool(handler.response_streaming)]
    return factory(behavior, request_deserializer, response_serializer)


async def run(behavior: Behavior, request: Any, context: Context) -> Any:
    """Runs a handler of either style.

    Raises:
        TypeError: the handler is not asynchronous; it would block every other call.
    """
    outcome = behavior(request, context)
    if isinstance(outcome, CoroutineType):
        return await outcome
    if isinstance(outcome, AsyncIterable):
        return await _write_all(outcome, context)
    raise TypeError("handlers must be asynchronous")


async def _write_all(messages: Any, context: Context) -> None:
    # A generator that is not closed here would be closed later, in another task.
    async with aclosing(messages):
        async for message in messages:
            await context.write(message)
