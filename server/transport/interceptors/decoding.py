"""Reads requests and writes responses, so that failures of either are answered like any other."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable
from functools import partial
from typing import Any

import grpc

from server.transport.decoding import decode, encode
from server.transport.interceptors.context import Context, ForwardingContext
from server.transport.interceptors.handlers import (
    Behavior,
    Continuation,
    Handler,
    behavior_of,
    describe,
    run,
    with_behavior,
)


class DecodingInterceptor(grpc.aio.ServerInterceptor):
    """Handlers inside get and give messages; interceptors outside see the bytes."""

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        read = partial(
            decode, describe(handler_call_details, handler).method, handler.request_deserializer
        )
        write = partial(encode, handler.response_serializer)
        return with_behavior(handler, _decoded(handler, read, write), None, None)


def _decoded(
    handler: Handler, read: Callable[[bytes], Any], write: Callable[[Any], bytes]
) -> Behavior:
    inner = behavior_of(handler)

    async def behavior(request: Any, context: Context) -> Any:
        decoded = _read_all(request, read) if handler.request_streaming else read(request)
        response = await run(inner, decoded, MessageContext(context, read, write))
        if handler.response_streaming:
            return None
        if response is None and context.code() not in {None, grpc.StatusCode.OK}:
            return b""
        return write(response)

    return behavior


async def _read_all(
    requests: AsyncIterable[bytes], read: Callable[[bytes], Any]
) -> AsyncIterator[Any]:
    async for raw in requests:
        yield read(raw)


class MessageContext(ForwardingContext):
    """Reads and writes messages on a context that carries bytes."""

    def __init__(
        self, inner: Context, read: Callable[[bytes], Any], write: Callable[[Any], bytes]
    ) -> None:
        super().__init__(inner)
        self._decode = read
        self._encode = write

    async def read(self) -> Any:
        raw = await self._inner.read()
        return raw if raw is grpc.aio.EOF else self._decode(raw)

    async def write(self, message: Any) -> None:
        await self._inner.write(self._encode(message))
