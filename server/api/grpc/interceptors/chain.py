"""Runs handlers of all kinds within the chain of interceptors: decodes, checks and encodes.

Also assembles all interceptors in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial
from types import CoroutineType
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import Message
from opentelemetry.trace import TracerProvider

from server.api.grpc.admission import Admission
from server.api.grpc.decoding import Codec
from server.api.grpc.interceptors.access import (
    AuthorizationInterceptor,
    Authorize,
    current_principal,
)
from server.api.grpc.interceptors.context import (
    CallContext,
    CallInterceptor,
    Context,
    Handler,
    Method,
    Proceed,
    describe,
    method_name,
)
from server.api.grpc.interceptors.drain import DrainGate
from server.api.grpc.interceptors.entry import Authenticate, EntryInterceptor, rate_limited
from server.api.grpc.interceptors.observation import ObservationInterceptor, TracingInterceptor
from server.api.grpc.large_messages import LARGE_BYTES
from server.api.grpc.rate_limit import RateLimiter
from server.api.grpc.status import ErrorsInterceptor
from server.api.grpc.validation import check, check_large
from server.core.errors import Unimplemented
from server.projects.quotas import ProjectQuotas
from server.telemetry.recording import stage
from server.telemetry.statistics import Statistics

Behavior: TypeAlias = Callable[[Any, Context], Any]

_FACTORIES = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def behavior_of(handler: Handler) -> Behavior:
    """Returns the function of the handler, which is in one of four attributes."""
    requests = "stream" if handler.request_streaming else "unary"
    responses = "stream" if handler.response_streaming else "unary"
    behavior: Behavior = getattr(handler, f"{requests}_{responses}")
    return behavior


def raw_handler(handler: Handler, behavior: Behavior) -> Handler:
    """Returns a handler of the same kind with a function that reads and writes bytes."""
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


class DecodingInterceptor(CallInterceptor):
    """Inner interceptors and handlers work with messages; outer interceptors see bytes.

    The context writes the responses of a stream. Large messages are decoded and encoded outside the
    event loop.
    """

    async def intercept(
        self, method: Method, request: Any, context: CallContext, proceed: Proceed
    ) -> Any:
        codec = method.codec
        if method.streams_requests:
            decoded: Any = _read_all(request, codec)
        else:
            decoded = await codec.decode_large(request)
            context.request_bytes = len(request)
        response = await proceed(decoded, context)
        if method.streams_responses:
            return None
        if response is None and context.code() not in {None, grpc.StatusCode.OK}:
            return b""
        return await codec.encode_large(response)


async def _read_all(requests: AsyncIterable[bytes], codec: Codec) -> AsyncIterator[Any]:
    async for raw in requests:
        yield codec.decode(raw)


Now: TypeAlias = Callable[[], datetime]


class ValidationInterceptor(CallInterceptor):
    """Confines every request message to the scope of the call's key, and checks the message."""

    def __init__(self, now: Now) -> None:
        """`now` returns the current time, aware, in UTC."""
        self._now = now

    async def intercept(
        self, method: Method, request: Any, context: CallContext, proceed: Proceed
    ) -> Any:
        if method.streams_requests:
            return await proceed(self._checked(method, request), context)
        _confine(method, request)
        if context.request_bytes >= LARGE_BYTES:
            with stage("validate", is_brief=True):
                await asyncio.to_thread(check_large, request, self._now())
        else:
            self._apply(request)
        return await proceed(request, context)

    async def _checked(self, method: Method, requests: AsyncIterable[Any]) -> AsyncIterator[Any]:
        async for request in requests:
            _confine(method, request)
            self._apply(request)
            yield request

    def _apply(self, request: object) -> None:
        if isinstance(request, Message):
            with stage("validate", is_brief=True):
                check(request, self._now())


def _confine(method: Method, request: object) -> None:
    """Fills in the key's scope before the check, because the request may lack it."""
    if not method.is_public:
        method.access.confine(current_principal(), request)


Continuation: TypeAlias = Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]]


def build_chain(
    *,
    gate: DrainGate,
    admission: Admission,
    rate_limiter: RateLimiter,
    authenticate: Authenticate,
    authorize: Authorize,
    now: Now,
    statistics: Statistics,
    default_timeout_seconds: float,
    tracer_provider: TracerProvider | None = None,
    quotas: ProjectQuotas | None = None,
) -> InterceptorChain:
    """Returns all interceptors of the server.

    `default_timeout_seconds` bounds calls whose client sets no deadline. Without a
    `tracer_provider` no spans are created; without `quotas` projects have none.
    """
    interceptors: list[CallInterceptor] = [
        ObservationInterceptor(statistics, now),
        ErrorsInterceptor(),
        EntryInterceptor(gate, default_timeout_seconds, authenticate, admission, rate_limiter),
        DecodingInterceptor(),
        ValidationInterceptor(now),
        AuthorizationInterceptor(rate_limited(authorize, rate_limiter), quotas),
    ]
    if tracer_provider is not None:
        interceptors.insert(0, TracingInterceptor(tracer_provider.get_tracer(__name__)))
    return InterceptorChain(interceptors)


class InterceptorChain(grpc.aio.ServerInterceptor):
    """Runs interceptors around every call, the first of them outermost.

    The chain of a handler is built at its first call and cached, because building it for every call
    would cost more than the interceptors themselves.
    """

    def __init__(self, interceptors: Sequence[CallInterceptor]) -> None:
        self.interceptors = tuple(interceptors)
        self._intercepted: dict[str, tuple[Handler, Handler]] = {}

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        path = handler_call_details.method
        handler = await continuation(handler_call_details)
        if handler is None:
            # Not cached, because clients can invent any number of names.
            return self.wrap(path, unknown_method(path), exists=False)
        known, intercepted = self._intercepted.get(path, (None, handler))
        if known is not handler:
            intercepted = self.wrap(path, handler)
            self._intercepted[path] = handler, intercepted
        return intercepted

    def wrap(self, path: str, handler: Handler, *, exists: bool = True) -> Handler:
        """Returns a handler that runs the interceptors around the handler of a method."""
        method = describe(path, handler, exists=exists)
        proceed: Proceed = partial(run, behavior_of(handler))
        for interceptor in reversed(self.interceptors):
            proceed = partial(interceptor.intercept, method, proceed=proceed)
        outermost = proceed

        async def behavior(request: Any, context: Context) -> Any:
            return await outermost(request, CallContext(context, method.codec))

        return raw_handler(handler, behavior)
