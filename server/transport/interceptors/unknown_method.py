"""A method that does not exist is refused like any other call."""

from __future__ import annotations

from typing import Any

import grpc

from server.domain.errors import Unimplemented
from server.transport.interceptors.context import Context
from server.transport.interceptors.handlers import Continuation, Handler


class UnknownMethodInterceptor(grpc.aio.ServerInterceptor):
    """Stands in for the handler that is missing, so that the other interceptors see the call.

    Without it gRPC answers such calls itself: without key, correlation id, details or log.
    """

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        if handler is not None:
            return handler
        method = handler_call_details.method.removeprefix("/")

        async def refuse(_request: Any, _context: Context) -> None:
            raise Unimplemented(method)

        return grpc.stream_stream_rpc_method_handler(refuse)
