"""Serves HTTP inside a process of the server, with uvicorn and Starlette."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from server.api.http.faults import door_fault, no_route
from server.api.limits import HttpLimits
from server.core.values import CannotListen


def build_application(routes: Sequence[BaseRoute]) -> Starlette:
    """Returns the application, which also sends JSON for unknown paths and errors.

    No response allows pages of other sites to read it (CORS).
    """
    application = Starlette(exception_handlers={HTTPException: no_route, Exception: door_fault})
    application.router = _Router(routes)
    return application


class _Router(Router):
    """Looks up paths without variables; for the others, it tries the routes one by one."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        # Not all clients follow redirects.
        super().__init__(routes, redirect_slashes=False)
        self._by_path: dict[tuple[str, str], Route] = {}
        for route in routes:
            if isinstance(route, Route) and not route.param_convertors:
                for method in route.methods or ():
                    self._by_path.setdefault((method, route.path), route)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._by_path.get((scope.get("method", ""), scope["path"]))
        if route is None:
            await super().app(scope, receive, send)
            return
        scope.update(router=self, route=route, endpoint=route.endpoint, path_params={})
        await route.handle(scope, receive, send)


_BACKLOG: Final = 2048


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """How a door listens.

    `setting` is the name of the setting for the port. With `shares_port` other processes may listen
    on the same port and also get connections. Connections above the limit get status 503.
    `stop_seconds` is the time for connections to end. Without `tls` nothing is encrypted.
    """

    host: str
    port: int
    limits: HttpLimits
    setting: str = "MEMOIR_HTTP_PORT"
    shares_port: bool = False
    stop_seconds: float = 2.0
    tls: ssl.SSLContext | None = None


@asynccontextmanager
async def serving_http(application: ASGIApp, options: HttpOptions) -> AsyncIterator[int]:
    """Serves the application during the block and yields the port.

    Raises:
        CannotListen: the port is taken.
    """
    # The service logs each call, and uvicorn's other messages are about faults of clients.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    tls = options.tls
    with _listening(options) as listening:
        server = _Server(
            uvicorn.Config(
                application,
                http=_protocol(options.limits.idle_seconds),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=options.limits.connections,
                timeout_keep_alive=round(options.limits.idle_seconds),
                timeout_graceful_shutdown=round(options.stop_seconds),
                backlog=_BACKLOG,
                ssl_context_factory=None if tls is None else lambda *_: tls,
            )
        )
        serving = asyncio.create_task(server.serve([listening]), name="http")
        try:
            await server.listens.wait()
            yield int(listening.getsockname()[1])
        finally:
            server.should_exit = True
            await serving


class _Server(uvicorn.Server):
    """uvicorn's server, but it does not handle signals, and sets `listens` once it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _protocol(idle_seconds: float) -> type[HttpToolsProtocol]:
    class Protocol(HttpToolsProtocol):
        """uvicorn's protocol with a time limit for the headers of a request, which it lacks."""

        _due: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._expect_headers()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._expect_headers()

        def on_headers_complete(self) -> None:
            self._stop_waiting()
            super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _expect_headers(self) -> None:
            self._stop_waiting()
            self._due = self.loop.call_later(idle_seconds, self.transport.close)

        def _stop_waiting(self) -> None:
            if self._due is not None:
                self._due.cancel()
                self._due = None

    return Protocol


@contextmanager
def _listening(options: HttpOptions) -> Iterator[socket.socket]:
    found = socket.getaddrinfo(
        options.host.strip("[]"), options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    family, kind, protocol, _, address = found[0]
    with socket.socket(family, kind, protocol) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if options.shares_port:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            listening.bind(address)
        except OSError as error:
            raise CannotListen(f"{options.host}:{options.port}", options.setting) from error
        listening.setblocking(False)
        yield listening
