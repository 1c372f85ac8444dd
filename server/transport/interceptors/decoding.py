"""Reads requests and writes responses, so that failures of either are answered like any other."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import grpc

from server.transport.decoding import Codec
from server.transport.interceptors.context import CallContext
from server.transport.interceptors.interceptor import CallInterceptor, Proceed
from server.transport.interceptors.method import Method


class DecodingInterceptor(CallInterceptor):
    """Interceptors and handlers inside get and give messages; interceptors outside see the bytes.

    The responses of a stream are written by the context. Large messages are read and written beside
    the event loop.
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
