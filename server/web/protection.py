"""What protects the page from other pages in the same browser."""

from __future__ import annotations

from collections.abc import Mapping

import grpc
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware
from yarl import URL

from server.web.faults import refused

# Everything comes from here and nothing is inline, so that no text of a memory can become code.
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


def protection(hosts: frozenset[str]) -> Middleware:
    """Refuses requests to the name of another host, and sets the headers of every answer.

    A foreign page that makes its own name resolve to this address (DNS rebinding) still sends
    that name as the host.
    """

    @web.middleware
    async def protect(request: web.Request, handler: Handler) -> web.StreamResponse:
        if _host_name(request) in hosts:
            answer = await _answer(request, handler)
        else:
            answer = refused(grpc.StatusCode.PERMISSION_DENIED, "not served under this host name")
        answer.headers.update(HEADERS)
        return answer

    return protect


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPRequestEntityTooLarge:
        return refused(grpc.StatusCode.INVALID_ARGUMENT, "the request is too large")
    except web.HTTPException as error:
        return web.json_response({"message": error.reason}, status=error.status)


def _host_name(request: web.Request) -> str | None:
    """The host without its port, in lower case; None for what is none."""
    try:
        return URL.build(scheme="http", authority=request.headers.get(hdrs.HOST, "")).host
    except ValueError:
        return None
