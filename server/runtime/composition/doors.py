"""Configures the doors from the settings: gRPC, HTTP and the web page."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path

import grpc

from server.api.grpc.health import HealthService
from server.api.grpc.local import LocalCalls
from server.api.grpc.server import ServerOptions, build_health_server
from server.api.http.bodies import BodyLimits
from server.api.http.door import Door
from server.api.http.mem0.routes import mem0_routes
from server.api.http.openapi import openapi_route
from server.api.http.serving import HttpOptions, build_application, serving_http
from server.api.http.transcoding import transcoded_routes
from server.api.page import PageOptions, serving_page
from server.runtime.certificates import Certificate, CertificateFiles, Certificates
from server.runtime.settings import Settings, TlsSettings


def open_certificates(settings: TlsSettings) -> Certificates | None:
    """Reads the certificate in the settings; None if there is none.

    Raises:
        CertificateFault: its files cannot be used.
    """
    if settings.cert is None or settings.key is None:
        return None
    return Certificates(CertificateFiles(settings.cert, settings.key, settings.client_ca))


def listening_context(settings: TlsSettings) -> ssl.SSLContext | None:
    """Returns a context to listen with, for doors other than gRPC; None without a certificate.

    Raises:
        CertificateFault: the certificate's files cannot be used.
    """
    certificates = open_certificates(settings)
    return None if certificates is None else certificates.listening_context()


def _credentials(certificates: Certificates) -> grpc.ServerCredentials:
    """Credentials that check for a newer certificate at each handshake."""

    def configuration(certificate: Certificate) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration(
            [(certificate.key, certificate.chain)], certificate.client_ca
        )

    newest = lru_cache(maxsize=1)(configuration)
    return grpc.dynamic_ssl_server_credentials(
        newest(certificates.current()),
        lambda: newest(certificates.current()),
        certificates.requires_client,
    )


def local_socket(directory: Path, worker: int = 0) -> str:
    """Returns the address at which a server with TLS serves clients in its own processes.

    These clients have no certificate. Only the owner may have access to the directory.
    """
    return f"unix:{directory / f'grpc-{worker}.sock'}"


def server_options(
    settings: Settings,
    certificates: Certificates | None,
    local_address: str | None,
    shared_port: int | None = None,
) -> ServerOptions:
    """Returns how the server listens; on `shared_port` if several processes share a port."""
    chosen = settings.grpc
    return ServerOptions(
        address=f"{chosen.host}:{shared_port or chosen.port}",
        limits=chosen,
        reflection=settings.reflection,
        shares_port=shared_port is not None,
        credentials=None if certificates is None else _credentials(certificates),
        local_address=local_address,
    )


@asynccontextmanager
async def serving_health(
    settings: Settings, health: HealthService, *, shares_port: bool
) -> AsyncIterator[None]:
    """Serves health on a separate port during the block, if one is configured.

    Raises:
        CannotListen: the port is taken.
    """
    port = settings.grpc.health_port
    if port is None:
        yield
        return
    server = build_health_server(f"{settings.grpc.host}:{port}", health, shares_port=shares_port)
    await server.start()
    try:
        yield
    finally:
        await server.stop(None)


@asynccontextmanager
async def open_http(
    settings: Settings,
    calls: LocalCalls,
    local_address: str,
    shared_port: int | None = None,
) -> AsyncIterator[int | None]:
    """Serves HTTP during the block if it is configured; yields the port.

    Several processes can listen on `shared_port`. The MCP tools call the service at
    `local_address`.

    Raises:
        CannotListen: the port is taken.
    """
    port = settings.http_port
    if port is None:
        yield None
        return
    limits = BodyLimits(settings.grpc.max_receive_bytes, settings.admission.request_bytes)
    # Importing MCP's library takes a quarter of the start's import time; only doors of HTTP pay.
    from server.api.mcp import mcp_route  # noqa: PLC0415

    door = Door(calls, limits)
    options = HttpOptions(
        settings.http.host,
        shared_port or port,
        settings.http,
        shares_port=shared_port is not None,
        tls=listening_context(settings.tls),
    )
    async with mcp_route(local_address, limits.largest) as tools:
        routes = [*mem0_routes(door), *transcoded_routes(door), openapi_route(), tools]
        async with serving_http(build_application(routes), options) as port:
            yield port


# Not every system can connect to a wildcard address; it includes loopback.
_EVERY_INTERFACE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104


@asynccontextmanager
async def open_page(settings: Settings, local_address: str) -> AsyncIterator[str | None]:
    """Serves the page during the block if it is configured; yields its address.

    Raises:
        CannotListen: the port is taken.
        CertificateFault: the certificate's files cannot be used.
    """
    page = settings.page
    if page.port is None:
        yield None
        return
    names = tuple(name.strip() for name in page.names.split(",") if name.strip())
    http = HttpOptions(
        page.host,
        page.port,
        settings.http,
        setting="MEMOIR_PAGE_PORT",
        tls=listening_context(settings.tls),
    )
    options = PageOptions(http, names, local_address)
    async with serving_page(options) as port:
        yield f"{settings.tls.http_scheme}://{page.host}:{port}/"


def loopback(settings: Settings, grpc_port: int) -> str:
    """Returns the address of a service without TLS, for clients in its own processes."""
    return f"{_EVERY_INTERFACE.get(settings.grpc.host, settings.grpc.host)}:{grpc_port}"
