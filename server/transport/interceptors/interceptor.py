"""The frame that all interceptors share: a call of any kind is one coroutine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from server.transport.interceptors.context import CallContext
from server.transport.interceptors.method import Method

Proceed: TypeAlias = Callable[[Any, CallContext], Awaitable[Any]]


class CallInterceptor(ABC):
    """Does something around every call."""

    @abstractmethod
    async def intercept(
        self, method: Method, request: Any, context: CallContext, proceed: Proceed
    ) -> Any:
        """Runs the rest of the call with `await proceed(request, context)`.

        `request` is an async iterator where the client streams. The answer of `proceed` is None
        where the server streams: responses are written to the context.
        """
