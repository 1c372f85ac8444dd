"""Runs handlers of all kinds and styles, and handles methods that do not exist.

gRPC knows four kinds of handler, and a streaming handler comes in two styles: an async generator
that yields, and a coroutine that writes. Here each becomes a coroutine that writes, so that what an
interceptor does around a call runs in the call's own task from its first instant to its last, also
when it is cancelled.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable
from contextlib import aclosing
from types import CoroutineType
from typing import Any, TypeAlias

import grpc

from server.api.grpc.interceptors.context import Context, Handler, method_name
from server.core.errors import Unimplemented

Behavior: TypeAlias = Callable[[Any, Context], Any]

_FACTORIES = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def behavior_of(handler: Handler) -> Behavior:
    """The function that the handler's kind uses, one of four."""
    requests = "stream" if handler.request_streaming else "unary"
    responses = "stream" if handler.response_streaming else "unary"
    behavior: Behavior = getattr(handler, f"{requests}_{responses}")
    return behavior


def raw_handler(handler: Handler, behavior: Behavior) -> Handler:
    """Returns a handler of the same kind for a behaviour that reads and writes bytes."""
    factory = _FACTORIES[bool(handler.request_streaming), bool(handler.response_streaming)]
    return factory(behavior, None, None)


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
    # Otherwise the generator would be closed later, in another task.
    async with aclosing(messages):
        async for message in messages:
            await context.write(message)


def unknown_method(path: str) -> Handler:
    """Returns a handler for a missing method, so that the interceptors see the call.

    Without it gRPC answers such calls itself: without key, correlation id, details or log.
    """
    method = method_name(path)

    async def refuse(_request: Any, _context: Context) -> None:
        raise Unimplemented(method)

    return grpc.stream_stream_rpc_method_handler(refuse)
