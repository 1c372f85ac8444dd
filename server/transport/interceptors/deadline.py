"""No call outlives its deadline, and none is without one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping
from typing import Any

from server.domain.errors import DeadlineExceeded
from server.domain.request_context import current_request, enter_request
from server.transport.interceptors.context import CallContext
from server.transport.interceptors.interceptor import CallInterceptor, Proceed
from server.transport.interceptors.method import Method


class DeadlineInterceptor(CallInterceptor):
    """Bounds each call by the client's deadline, else by the server's default for the method.

    gRPC itself ends a call at its client's deadline. Health, reflection and server streams have no
    default: they last as long as the client likes.
    """

    def __init__(self, default_seconds: float, by_method: Mapping[str, float]) -> None:
        """`by_method` maps `package.Service/Method` to seconds, where the default is not right."""
        self._default = default_seconds
        self._by_method = by_method

    async def intercept(
        self, method: Method, request: Any, context: CallContext, proceed: Proceed
    ) -> Any:
        # gRPC answers None where the client set no deadline; its type says otherwise.
        remaining: float | None = context.time_remaining()
        if remaining is not None:
            _enter_deadline(remaining)
            return await proceed(request, context)
        if method.is_public or method.streams_responses:
            return await proceed(request, context)
        seconds = self._by_method.get(method.name, self._default)
        _enter_deadline(seconds)
        return await _within(seconds, proceed(request, context))


def _enter_deadline(seconds: float) -> None:
    limited = current_request().until(time.monotonic() + seconds)
    enter_request(limited)
    limited.remaining()


async def _within(seconds: float, rest: Awaitable[Any]) -> Any:
    bound = asyncio.timeout(seconds)
    try:
        async with bound:
            return await rest
    except TimeoutError as error:
        if bound.expired():
            raise DeadlineExceeded from error
        raise
