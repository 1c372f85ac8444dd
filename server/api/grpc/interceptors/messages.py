"""Decodes requests, checks them against the contract, and encodes responses."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable
from datetime import datetime
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import Message

from server.api.grpc.decoding import Codec
from server.api.grpc.interceptors.access import current_principal
from server.api.grpc.interceptors.context import CallContext, CallInterceptor, Method, Proceed
from server.api.grpc.large_messages import LARGE_BYTES, beside_the_loop
from server.telemetry.recording import stage


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


Check: TypeAlias = Callable[[Message, datetime], None]
Now: TypeAlias = Callable[[], datetime]


class ValidationInterceptor(CallInterceptor):
    """Confines every request message to the scope of the call's key, and checks the message."""

    def __init__(self, check: Check, check_large: Check, now: Now) -> None:
        """Both checks raise InvalidRequest; the check of large requests runs in a thread.

        `now` returns the current time, aware, in UTC.
        """
        self._check = check
        self._check_large = check_large
        self._now = now

    async def intercept(
        self, method: Method, request: Any, context: CallContext, proceed: Proceed
    ) -> Any:
        if method.streams_requests:
            return await proceed(self._checked(method, request), context)
        _confine(method, request)
        if context.request_bytes >= LARGE_BYTES:
            with stage("validate", is_brief=True):
                await beside_the_loop(self._check_large, request, self._now())
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
                self._check(request, self._now())


def _confine(method: Method, request: object) -> None:
    """Before the check, because the key's scope may be what the request lacks."""
    if not method.is_public:
        method.access.confine(current_principal(), request)
