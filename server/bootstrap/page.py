"""The part of the composition root that serves the web page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.settings import Settings
from server.web.page import PageOptions, serving_page

# Addresses that stand for every interface cannot be called everywhere; loopback is among them.
_EVERY_INTERFACE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104


@asynccontextmanager
async def open_page(settings: Settings, grpc_port: int) -> AsyncIterator[str | None]:
    """Serves the page during the block if the settings ask for it; answers its address.

    Raises:
        OSError: the address cannot be listened on.
    """
    page = settings.page
    if page.port is None:
        yield None
        return
    host = _EVERY_INTERFACE.get(settings.grpc.host, settings.grpc.host)
    names = tuple(name.strip() for name in page.names.split(",") if name.strip())
    options = PageOptions(page.host, page.port, names, f"{host}:{grpc_port}")
    async with serving_page(options) as port:
        yield f"http://{page.host}:{port}/"
