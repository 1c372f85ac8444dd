"""Bounds on concurrent connections and requests of the page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import grpc
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from server.api.page.faults import refused

_TOO_MANY: Final = "too many at once; try again in a moment"
_RETRY: Final = {"Retry-After": "1"}


@dataclass(frozen=True, slots=True)
class Limits:
    """`idle_seconds` bounds the wait for a request, its headers included; a browser opens anew.

    `refusals` are connections beyond `connections` that are told so; what is beyond these too is
    closed at once.
    """

    connections: int = 64
    requests: int = 16
    idle_seconds: float = 20.0
    refusals: int = 16
    refusal_seconds: float = 1.0


def at_most(requests: int) -> Middleware:
    """Refuses requests while that many are being answered."""
    under_way = 0

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonlocal under_way
        if under_way >= requests:
            answer = refused(grpc.StatusCode.UNAVAILABLE, _TOO_MANY)
            answer.headers.update(_RETRY)
            return answer
        under_way += 1
        try:
            return await handler(request)
        finally:
            under_way -= 1

    return admit


def bounded(
    server: web.Server, limits: Limits, headers: Mapping[str, str]
) -> Callable[[], asyncio.BaseProtocol]:
    """Returns the handler of a new connection: the server, or a refusal at the limit."""
    answer = _refusal({**headers, **_RETRY})
    refusals: set[asyncio.BaseProtocol] = set()

    def connect() -> asyncio.BaseProtocol:
        if len(server.connections) < limits.connections:
            return server()
        return _Refusal(answer, refusals, limits)

    return connect


class _Refusal(asyncio.Protocol):
    """Answers 503 and closes, once a request arrives or its time is up."""

    def __init__(self, answer: bytes, others: set[asyncio.BaseProtocol], limits: Limits) -> None:
        self._answer = answer
        self._others = others
        self._limits = limits
        self._transport: asyncio.Transport | None = None
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        if len(self._others) >= self._limits.refusals:
            transport.abort()
            return
        self._others.add(self)
        self._transport = transport
        loop = asyncio.get_running_loop()
        self._end = loop.call_later(self._limits.refusal_seconds, transport.abort)

    def data_received(self, data: bytes) -> None:
        # Only now: closing a socket with unread data resets it, and the answer would be lost.
        del data
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._answer)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._others.discard(self)
        if self._end is not None:
            self._end.cancel()


def _refusal(headers: Mapping[str, str]) -> bytes:
    body = json.dumps({"code": "UNAVAILABLE", "message": _TOO_MANY})
    lines = {
        **headers,
        "Content-Type": "application/json; charset=utf-8",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 503 Service Unavailable\r\n{head}\r\n{body}".encode()
