"""Protects the page from other pages in the same browser."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import grpc
import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from server.api.page.faults import broken, correlation_id, refused

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("server.api.page")

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


def protection(hosts: frozenset[str]) -> Middleware:
    """Refuses requests that name another host, and sets the headers of every answer.

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
    except web.RequestPayloadError:
        return refused(grpc.StatusCode.INVALID_ARGUMENT, "the body is not as its headers say")
    except ConnectionError:
        raise  # Nobody is left to be answered.
    except Exception as error:  # noqa: BLE001 - whatever else it is has to be answered too
        id_ = correlation_id(request.headers)
        _log.error("page.request_failed", path=request.path, correlation_id=id_, exc_info=error)
        return broken(id_)


def _host_name(request: web.Request) -> str | None:
    """Returns the host without its port, in lower case; None if it is not a host."""
    host = request.headers.get(hdrs.HOST, "")
    try:
        parts = urlsplit(f"//{host}")
        # Reading the port checks it.
        is_whole = parts.netloc == host and parts.username is None and parts.port != 0
    except ValueError:
        return None
    return parts.hostname if is_whole else None
