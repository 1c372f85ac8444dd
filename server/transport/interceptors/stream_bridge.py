"""Lets the OpenTelemetry interceptor run streaming calls, which it expects to be generators."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc

from server.transport.interceptors.context import Context
from server.transport.interceptors.handlers import (
    Continuation,
    Handler,
    behavior_of,
    run,
    with_behavior,
)

_NO_RESPONSES: tuple[object, ...] = ()


class StreamBridgeInterceptor(grpc.aio.ServerInterceptor):
    """Turns coroutines that write into generators that yield nothing.

    The whole call runs within the generator's first and only step, so a cancellation reaches it in
    its own task, which it would not if responses were yielded through the interceptor outside.
    """

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        if handler is None or not handler.response_streaming:
            return handler
        inner = behavior_of(handler)

        async def behavior(request: Any, context: Context) -> AsyncIterator[Any]:
            await run(inner, request, context)
            for response in _NO_RESPONSES:
                yield response

        return with_behavior(
            handler, behavior, handler.request_deserializer, handler.response_serializer
        )
