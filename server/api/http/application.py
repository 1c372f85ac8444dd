"""All that is served over HTTP, as one ASGI application."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import Receive, Scope, Send

from server.api.http.refusals import broken, unknown_method, unknown_path

_METHOD_NOT_ALLOWED = 405


def build_application(routes: Sequence[BaseRoute]) -> Starlette:
    """The application; what its routes do not answer is answered as JSON too.

    No answer allows a page of another site to read it (CORS).
    """
    application = Starlette(exception_handlers={HTTPException: _refused, Exception: _broken})
    application.router = _Router(routes)
    return application


class _Router(Router):
    """Looks paths without variables up; only for the others are the routes tried one by one."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        # A client that follows no redirects would not know what to do with one.
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


async def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == _METHOD_NOT_ALLOWED:
        return unknown_method(request, (error.headers or {}).get("Allow", ""))
    return unknown_path(request)


async def _broken(request: Request, error: Exception) -> Response:
    return broken(request, error)
