"""`/mcp`: serves the tools over streamable HTTP, on the port of the HTTP door.

The tools are those of the client's package, and this door is a client of the contract like any
other. It keeps no sessions, so any serving process can process any request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
from mcp.server.mcpserver import Context
from mcp.server.transport_security import TransportSecuritySettings
from memoir.client_async import AsyncClient
from memoir.errors import MemoirError
from memoir.mcp import fixed_scope
from memoir.mcp.tools import Account, build_server
from memoir.options import Scope
from starlette.datastructures import Headers
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from server import __version__
from server.api.http.faults import HTTP_STATUS, refusal_response

PATH: Final = "/mcp"
SCOPE_HEADERS: Final[Mapping[str, str]] = {
    "user_id": "memoir-user-id",
    "agent_id": "memoir-agent-id",
    "app_id": "memoir-app-id",
    "run_id": "memoir-run-id",
}
_SCHEMES: Final = ("token ", "bearer ")


@asynccontextmanager
async def mcp_route(grpc_address: str, max_body_bytes: int) -> AsyncIterator[Route]:
    """Yields the route of the tools, which call the service at `grpc_address`."""
    async with grpc.aio.insecure_channel(grpc_address) as channel:
        server = build_server(lambda context: _account(context, channel), __version__)
        application = server.streamable_http_app(
            streamable_http_path=PATH,
            json_response=True,
            stateless_http=True,
            max_request_body_size=max_body_bytes,
            # DNS rebinding is harmless, because pages of other sites have no key to send.
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        async with server.session_manager.run():
            yield Route(PATH, _Guard(application, channel), methods=["GET", "POST", "DELETE"])


class _Guard:
    """Refuses requests without a valid key, or without a scope."""

    def __init__(self, application: ASGIApp, channel: grpc.aio.Channel) -> None:
        self._application = application
        self._channel = channel

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        refusal = None
        if not _scope(headers):
            names = ", ".join(SCOPE_HEADERS.values())
            refusal = refusal_response(400, f"name the scope by at least one header: {names}")
        elif (error := await self._key_error(headers)) is not None:
            refusal = refusal_response(
                HTTP_STATUS.get(grpc.StatusCode[error.code], 500), str(error)
            )
        await (refusal or self._application)(scope, receive, send)

    async def _key_error(self, headers: Headers) -> MemoirError | None:
        try:
            await _client(headers, self._channel).project()
        except MemoirError as error:
            return error
        return None


def _account(context: Context[Any, Any], channel: grpc.aio.Channel) -> Account:
    headers = Headers(context.headers or {})
    return Account(_client(headers, channel), _scope(headers))


def _client(headers: Headers, channel: grpc.aio.Channel) -> AsyncClient:
    credentials = headers.get("authorization", "")
    for scheme in _SCHEMES:
        if credentials.lower().startswith(scheme):
            credentials = credentials[len(scheme) :]
    return AsyncClient(api_key=credentials.strip() or "none", channel=channel)


def _scope(headers: Headers) -> Scope:
    return fixed_scope(lambda part: headers.get(SCOPE_HEADERS[part]))
