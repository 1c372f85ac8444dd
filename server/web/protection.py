"""What protects the page from other pages in the same browser."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from urllib.parse import urlsplit
from uuid import uuid4

import grpc
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from server.web.faults import broken, refused

_log = logging.getLogger("server.page")

MOST_REQUESTS = 64
"""So many requests are in progress at once at most; a page makes ten."""

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


def protection(hosts: frozenset[str], most_requests: int = MOST_REQUESTS) -> Middleware:
    """Refuses requests to the name of another host, and sets the headers of every answer.

    A foreign page that makes its own name resolve to this address (DNS rebinding) still sends
    that name as the host. What comes while `most_requests` are in progress is refused, too.
    """
    running = 0

    @web.middleware
    async def protect(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonlocal running
        if _host_name(request) not in hosts:
            answer: web.StreamResponse = refused(
                grpc.StatusCode.PERMISSION_DENIED, "not served under this host name"
            )
        elif running >= most_requests:
            answer = refused(grpc.StatusCode.UNAVAILABLE, "too many requests at once")
        else:
            running += 1
            try:
                answer = await _answer(request, handler)
            finally:
                running -= 1
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
    except Exception:  # noqa: BLE001 - whatever it was, the answer has its form
        correlation_id = uuid4().hex
        _log.exception("a request of the page failed, correlation id %s", correlation_id)
        return broken(correlation_id)


def _host_name(request: web.Request) -> str | None:
    """The host without its port, in lower case; None for what is none."""
    try:
        return urlsplit(f"//{request.headers.get(hdrs.HOST, '')}").hostname
    except ValueError:
        return None
