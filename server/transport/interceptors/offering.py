"""Refuses what the contract promises and this server does not do yet."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from server.transport.interceptors.context import Context
from server.transport.interceptors.handlers import Call, CallInterceptor, Proceed
from server.transport.unimplemented import refuse_unimplemented


class OfferingInterceptor(CallInterceptor):
    """Answers UNIMPLEMENTED for the methods and options that are listed as such."""

    async def intercept(self, call: Call, request: Any, context: Context, proceed: Proceed) -> Any:
        refuse_unimplemented(call.method, request if isinstance(request, Message) else None)
        return await proceed(request, context)
