"""Serves the page on a port of its own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from aiohttp import web

from server.api.page.gateway import Gateway
from server.api.page.limits import Limits, at_most, bounded
from server.api.page.protection import HEADERS, protection

MAX_REQUEST_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 16 * 1024 * 1024
_STOP_SECONDS = 2.0
_LIMITS = Limits()
_STATIC = Path(__file__).parent / "static"
_TYPES: Mapping[str, str] = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class PageOptions:
    """Where to listen, under which other names a proxy serves it, and the service's address.

    Without `tls` nothing is encrypted.
    """

    host: str
    port: int
    names: tuple[str, ...]
    grpc_address: str
    tls: ssl.SSLContext | None = None


@asynccontextmanager
async def serving_page(options: PageOptions, limits: Limits = _LIMITS) -> AsyncIterator[int]:
    """Serves the page during the block and yields its port; port 0 takes a free one.

    Raises:
        OSError: the address cannot be listened on.
    """
    largest = (("grpc.max_receive_message_length", MAX_ANSWER_BYTES),)
    async with grpc.aio.insecure_channel(options.grpc_address, options=largest) as channel:
        # No access log: the service logs each call, and headers hold the key.
        runner = web.AppRunner(
            build_application(channel, options, limits),
            access_log=None,
            shutdown_timeout=_STOP_SECONDS,
            keepalive_timeout=limits.idle_seconds,
            lingering_time=_STOP_SECONDS,
        )
        await runner.setup()
        try:
            async with _listening(runner, options, limits) as port:
                yield port
        finally:
            await runner.cleanup()


@asynccontextmanager
async def _listening(
    runner: web.AppRunner, options: PageOptions, limits: Limits
) -> AsyncIterator[int]:
    """Listens during the block; aiohttp's own sites do not limit connections."""
    assert runner.server is not None
    listening = await asyncio.get_running_loop().create_server(
        bounded(runner.server, limits, HEADERS), options.host, options.port, ssl=options.tls
    )
    try:
        yield int(listening.sockets[0].getsockname()[1])
    finally:
        listening.close()


def build_application(
    channel: grpc.aio.Channel, options: PageOptions, limits: Limits
) -> web.Application:
    """The routes: the page, its files, and the gateway."""
    hosts = frozenset(name.lower() for name in (options.host, *options.names, *_LOOPBACK))
    application = web.Application(
        client_max_size=MAX_REQUEST_BYTES,
        middlewares=[protection(hosts), at_most(limits.requests)],
    )
    files = Files(_STATIC)
    application.router.add_get("/", files.handle)
    application.router.add_get("/static/{path:.+}", files.handle)
    application.router.add_post("/api/{service}/{method}", Gateway(channel).handle)
    return application


class Files:
    """The files of the page, read once; no other path is served."""

    def __init__(self, directory: Path) -> None:
        self._files = {
            path.relative_to(directory).as_posix(): (path.read_bytes(), _TYPES[path.suffix])
            for path in directory.rglob("*")
            if path.suffix in _TYPES
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answers one file.

        Raises:
            web.HTTPNotFound: there is none of that name.
        """
        found = self._files.get(request.match_info.get("path", "index.html"))
        if found is None:
            raise web.HTTPNotFound
        body, content_type = found
        return web.Response(body=body, content_type=content_type, charset="utf-8")
