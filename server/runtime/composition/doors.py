"""Configures the doors from the settings: gRPC, HTTP and the web page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.api.grpc.admission import Admission, AdmissionLimits
from server.api.grpc.local import LocalCalls
from server.api.grpc.rate_limit import RateLimiter
from server.api.grpc.server import ServerOptions
from server.api.http.application import build_application
from server.api.http.bodies import BodyLimits
from server.api.http.door import Door
from server.api.http.mem0.routes import mem0_routes
from server.api.http.openapi import openapi_route
from server.api.http.serving import HttpOptions, serving_http
from server.api.http.transcoding import transcoded_routes
from server.api.mcp.door import mcp_route
from server.api.page.page import PageOptions, serving_page
from server.runtime.settings import AdmissionSettings, Settings


def server_options(settings: Settings, shared_port: int | None = None) -> ServerOptions:
    """Returns how the server listens; on `shared_port` if several processes share it."""
    grpc = settings.grpc
    return ServerOptions(
        address=f"{grpc.host}:{shared_port or grpc.port}",
        shares_port=shared_port is not None,
        max_receive_bytes=grpc.max_receive_bytes,
        reflection=settings.reflection,
        max_metadata_bytes=grpc.max_metadata_bytes,
        max_streams=grpc.max_streams,
        max_pending=grpc.max_pending,
        keepalive_seconds=grpc.keepalive_seconds,
        max_connection_age=grpc.max_connection_age,
        max_connection_age_grace=grpc.max_connection_age_grace,
    )


def admission(settings: AdmissionSettings) -> Admission:
    """Returns the limits on concurrent work."""
    return Admission(
        AdmissionLimits(
            concurrency=settings.concurrency,
            reads=settings.reads,
            writes=settings.writes,
            queue=settings.queue,
            queue_seconds=settings.queue_seconds,
            streams=settings.streams,
            request_bytes=settings.request_bytes,
            parked=settings.parked,
        )
    )


def rate_limiter(settings: AdmissionSettings) -> RateLimiter:
    """Returns the limiter of each project's call rate."""
    return RateLimiter(settings.project_rate, settings.project_burst)


@asynccontextmanager
async def open_http(
    settings: Settings, calls: LocalCalls, grpc_port: int, shared_port: int | None = None
) -> AsyncIterator[int | None]:
    """Serves HTTP during the block if the settings ask for it; yields the port.

    On `shared_port` several processes listen. The tools of MCP call the service at `grpc_port`.

    Raises:
        OSError: the address cannot be listened on.
    """
    port = settings.http_port
    if port is None:
        yield None
        return
    limits = BodyLimits(settings.grpc.max_receive_bytes, settings.admission.request_bytes)
    door = Door(calls, limits)
    options = HttpOptions(
        settings.http.host,
        shared_port or port,
        shares_port=shared_port is not None,
        connections=settings.http.connections,
        idle_seconds=settings.http.idle_seconds,
    )
    async with mcp_route(_loopback(settings, grpc_port), limits.largest) as tools:
        routes = [*mem0_routes(door), *transcoded_routes(door), openapi_route(), tools]
        async with serving_http(build_application(routes), options) as port:
            yield port


# Clients cannot connect to a wildcard address on every system; loopback is among its addresses.
_EVERY_INTERFACE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104


@asynccontextmanager
async def open_page(settings: Settings, grpc_port: int) -> AsyncIterator[str | None]:
    """Serves the page during the block if the settings ask for it; yields its address.

    Raises:
        OSError: the address cannot be listened on.
    """
    page = settings.page
    if page.port is None:
        yield None
        return
    names = tuple(name.strip() for name in page.names.split(",") if name.strip())
    http = HttpOptions(
        page.host,
        page.port,
        setting="MEMOIR_PAGE_PORT",
        connections=settings.http.connections,
        idle_seconds=settings.http.idle_seconds,
    )
    options = PageOptions(http, names, _loopback(settings, grpc_port))
    async with serving_page(options) as port:
        yield f"http://{page.host}:{port}/"


def _loopback(settings: Settings, grpc_port: int) -> str:
    """The service's address, for clients in the same process."""
    return f"{_EVERY_INTERFACE.get(settings.grpc.host, settings.grpc.host)}:{grpc_port}"
