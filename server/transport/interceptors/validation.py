"""No request that breaks a rule of the contract reaches a use case."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable
from datetime import datetime
from typing import Any, TypeAlias

from google.protobuf.message import Message

from server.telemetry.recording import stage
from server.transport.interceptors.context import CallContext
from server.transport.interceptors.interceptor import CallInterceptor, Proceed
from server.transport.interceptors.method import Method
from server.transport.large_messages import LARGE_BYTES, beside_the_loop

Check: TypeAlias = Callable[[Message, datetime], None]
Now: TypeAlias = Callable[[], datetime]


class ValidationInterceptor(CallInterceptor):
    """Applies a check to every request message."""

    def __init__(self, check: Check, check_large: Check, now: Now) -> None:
        """Both checks raise InvalidRequest; the one of large requests runs in a thread.

        `now` tells the present instant, aware, in UTC.
        """
        self._check = check
        self._check_large = check_large
        self._now = now

    async def intercept(
        self, method: Method, request: Any, context: CallContext, proceed: Proceed
    ) -> Any:
        if method.streams_requests:
            return await proceed(self._checked(request), context)
        if context.request_bytes >= LARGE_BYTES:
            with stage("validate", is_brief=True):
                await beside_the_loop(self._check_large, request, self._now())
        else:
            self._apply(request)
        return await proceed(request, context)

    async def _checked(self, requests: AsyncIterable[Any]) -> AsyncIterator[Any]:
        async for request in requests:
            self._apply(request)
            yield request

    def _apply(self, request: object) -> None:
        if isinstance(request, Message):
            with stage("validate", is_brief=True):
                self._check(request, self._now())
