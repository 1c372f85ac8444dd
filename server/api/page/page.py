"""Serves the page on a port of its own, protected from other pages in the same browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import grpc
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.api.http.faults import logged, refused
from server.api.http.serving import HttpOptions, build_application, serving_http
from server.api.page.gateway import Gateway

# Everything is served from here and nothing is inline, so no text of a memory can become code.
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Protection:
    """Refuses requests that name another host, and sets the headers of every answer.

    A foreign page that makes its own name resolve to this address (DNS rebinding) still sends
    that name as the host.
    """

    def __init__(self, application: ASGIApp, hosts: frozenset[str]) -> None:
        self._application = application
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        answer = self._application
        if _host_name(Headers(scope=scope)) not in self._hosts:
            answer = logged(Request(scope), refused(403, "not served under this host name"))
        await answer(scope, receive, send_protected)


def _host_name(headers: Headers) -> str | None:
    """Returns the host without its port, in lower case; None if it is not a host."""
    host = headers.get("host", "")
    try:
        parts = urlsplit(f"//{host}")
        # Reading the port checks it.
        is_whole = parts.netloc == host and parts.username is None and parts.port != 0
    except ValueError:
        return None
    return parts.hostname if is_whole else None


MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
_STATIC: Final = Path(__file__).parent / "static"
_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class PageOptions:
    """How to listen, under which other names a proxy serves the page, and the service's address."""

    http: HttpOptions
    names: tuple[str, ...]
    grpc_address: str


@asynccontextmanager
async def serving_page(options: PageOptions) -> AsyncIterator[int]:
    """Serves the page during the block and yields its port.

    Raises:
        OSError: the address cannot be listened on.
    """
    largest = (("grpc.max_receive_message_length", MAX_ANSWER_BYTES),)
    async with (
        grpc.aio.insecure_channel(options.grpc_address, options=largest) as channel,
        serving_http(page_application(channel, options), options.http) as port,
    ):
        yield port


def page_application(channel: grpc.aio.Channel, options: PageOptions) -> ASGIApp:
    """The page, its files, and the gateway."""
    files = Files(_STATIC)
    routes = [
        Route("/", files.handle, methods=["GET"]),
        Route("/static/{path:path}", files.handle, methods=["GET"]),
        Route("/api/{service}/{method}", Gateway(channel).handle, methods=["POST"]),
    ]
    hosts = frozenset(name.lower() for name in (options.http.host, *options.names, *_LOOPBACK))
    return Protection(build_application(routes), hosts)


class Files:
    """The files of the page, read once; no other path is served."""

    def __init__(self, directory: Path) -> None:
        self._files = {
            path.relative_to(directory).as_posix(): (path.read_bytes(), _TYPES[path.suffix])
            for path in directory.rglob("*")
            if path.suffix in _TYPES
        }

    async def handle(self, request: Request) -> Response:
        """Answers one file.

        Raises:
            HTTPException: there is none of that name.
        """
        found = self._files.get(request.path_params.get("path", "index.html"))
        if found is None:
            raise HTTPException(404)
        body, media_type = found
        return Response(body, media_type=media_type)
