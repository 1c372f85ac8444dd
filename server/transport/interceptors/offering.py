"""Refuses what the contract promises and this server does not do yet."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from server.transport.interceptors.context import CallContext
from server.transport.interceptors.interceptor import CallInterceptor, Proceed
from server.transport.interceptors.method import Method
from server.transport.unimplemented import refuse_unimplemented


class OfferingInterceptor(CallInterceptor):
    """Answers UNIMPLEMENTED for the methods and options that are listed as such."""

    async def intercept(
        self, method: Method, request: Any, context: CallContext, proceed: Proceed
    ) -> Any:
        refuse_unimplemented(method.name, request if isinstance(request, Message) else None)
        return await proceed(request, context)
