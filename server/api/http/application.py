"""All that is served over HTTP, as one ASGI application."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from server.api.http.refusals import broken, unknown_method, unknown_path

_METHOD_NOT_ALLOWED = 405


def build_application(routes: Sequence[BaseRoute]) -> Starlette:
    """The application; what its routes do not answer is answered as JSON too.

    No answer allows a page of another site to read it (CORS).
    """
    application = Starlette(
        routes=list(routes),
        exception_handlers={HTTPException: _refused, Exception: _broken},
    )
    # A client that follows no redirects would not know what to do with one.
    application.router.redirect_slashes = False
    return application


async def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == _METHOD_NOT_ALLOWED:
        return unknown_method(request, (error.headers or {}).get("Allow", ""))
    return unknown_path(request)


async def _broken(request: Request, error: Exception) -> Response:
    return broken(request, error)
