"""A method that does not exist is refused like any other call."""

from __future__ import annotations

from typing import Any

import grpc

from server.domain.errors import Unimplemented
from server.transport.interceptors.context import Context
from server.transport.interceptors.method import Handler


def unknown_method(path: str) -> Handler:
    """Stands in for the handler that is missing, so that the interceptors see the call.

    Without it gRPC answers such calls itself: without key, correlation id, details or log.
    """
    method = path.removeprefix("/")

    async def refuse(_request: Any, _context: Context) -> None:
        raise Unimplemented(method)

    return grpc.stream_stream_rpc_method_handler(refuse)
