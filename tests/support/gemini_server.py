"""The real server on the Gemini models, at an endpoint that speaks the Gemini API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest_asyncio

from tests.support.gemini_endpoint import GeminiEndpoint
from tests.support.server import Client, Home, connected, key_of

API_KEY = "test-key-of-the-endpoint"


@dataclass(frozen=True)
class GeminiServer:
    """A client of a server on Gemini, and the endpoint that it asks."""

    client: Client
    endpoint: GeminiEndpoint


@pytest_asyncio.fixture
async def on_gemini(home: Home, gemini: GeminiEndpoint) -> AsyncIterator[GeminiServer]:
    server = home.server(
        MEMOIR_MODELS="gemini", GEMINI_API_KEY=API_KEY, MEMOIR_GEMINI_BASE_URL=gemini.base_url
    )
    await server.start()
    key = await key_of(home)
    async with connected(server.address, key) as client:
        yield GeminiServer(client, gemini)
    assert API_KEY not in server.log
    await server.stop()
