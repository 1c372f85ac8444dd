"""No call outlives its deadline, and none is without one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from server.domain.errors import DeadlineExceeded
from server.domain.request_context import current_request, enter_request
from server.transport.interceptors.context import Context
from server.transport.interceptors.handlers import Call, CallInterceptor, Proceed


class DeadlineInterceptor(CallInterceptor):
    """Bounds each call by the client's deadline, else by the server's default for the method.

    Health, reflection and server streams have no default: they last as long as the client likes.
    """

    def __init__(self, default_seconds: float, by_method: Mapping[str, float]) -> None:
        """`by_method` maps `package.Service/Method` to seconds, where the default is not right."""
        self._default = default_seconds
        self._by_method = by_method

    async def intercept(self, call: Call, request: Any, context: Context, proceed: Proceed) -> Any:
        seconds = self._seconds(call, context)
        if seconds is None:
            return await proceed(request, context)
        enter_request(replace(current_request(), deadline=time.monotonic() + seconds))
        current_request().remaining()
        bound = asyncio.timeout(seconds)
        try:
            async with bound:
                return await proceed(request, context)
        except TimeoutError as error:
            if bound.expired():
                raise DeadlineExceeded from error
            raise

    def _seconds(self, call: Call, context: Context) -> float | None:
        # gRPC answers None where the client set no deadline; its type says otherwise.
        remaining: float | None = context.time_remaining()
        if remaining is not None:
            return remaining
        if call.is_public or call.streams_responses:
            return None
        return self._by_method.get(call.method, self._default)
