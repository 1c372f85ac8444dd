"""Protects the page from other pages in the same browser."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.api.http.faults import refused
from server.api.http.refusals import logged

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
