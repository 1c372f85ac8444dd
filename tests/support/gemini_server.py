"""The real server with the Gemini models, at a local endpoint of the Gemini API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import pytest
import pytest_asyncio

from server.core.values import Neo4jAddress
from tests.support.gemini_endpoint import GeminiEndpoint
from tests.support.postgres import migrated_database
from tests.support.server import (
    Client,
    Home,
    ServerProcess,
    connected,
    create_project,
    key_of,
    prepared_home,
)

API_KEY = "test-key-of-the-endpoint"


@dataclass(frozen=True)
class GeminiServer:
    """A client of a server with Gemini models for one project, and the endpoint of these."""

    client: Client
    endpoint: GeminiEndpoint
    home: Home
    project: str


@dataclass(frozen=True)
class Running:
    """A server with Gemini models, its databases, and the endpoint of the models."""

    server: ServerProcess
    home: Home
    endpoint: GeminiEndpoint

    @asynccontextmanager
    async def of_project(self, project: str) -> AsyncIterator[GeminiServer]:
        """Yields a client of the project."""
        key = await key_of(self.home, project)
        async with connected(self.server.address, key) as client:
            yield GeminiServer(client, self.endpoint, self.home, project)
        assert API_KEY not in self.server.log


@asynccontextmanager
async def running_on_gemini(home: Home, endpoint: GeminiEndpoint) -> AsyncIterator[Running]:
    """Runs such a server during the block."""
    server = home.server(
        MEMOIR_MODELS="gemini", GEMINI_API_KEY=API_KEY, MEMOIR_GEMINI_BASE_URL=endpoint.base_url
    )
    await server.start()
    yield Running(server, home, endpoint)
    await server.stop()


@pytest_asyncio.fixture(scope="session")
async def shared_on_gemini(
    postgres_server: str, neo4j_address: Neo4jAddress, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    directory = tmp_path_factory.mktemp("gemini")
    async with (
        migrated_database(postgres_server) as dsn,
        prepared_home(dsn, neo4j_address, directory) as home,
        GeminiEndpoint() as endpoint,
        running_on_gemini(home, endpoint) as running,
    ):
        yield running


@pytest_asyncio.fixture
async def on_gemini(shared_on_gemini: Running) -> AsyncIterator[GeminiServer]:
    """A new project on a shared server, for tests without faults that the server remembers."""
    shared_on_gemini.endpoint.reset()
    project = f"project-{uuid4()}"
    await create_project(shared_on_gemini.home.postgres_dsn, project)
    async with shared_on_gemini.of_project(project) as served:
        yield served


@pytest_asyncio.fixture
async def on_own_gemini(home: Home, gemini: GeminiEndpoint) -> AsyncIterator[GeminiServer]:
    """A server for one test, which may remember faults of the model."""
    async with (
        running_on_gemini(home, gemini) as running,
        running.of_project(home.project) as served,
    ):
        yield served
