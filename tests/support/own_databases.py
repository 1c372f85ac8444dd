"""Databases for one test, which may kill them or cut its servers off from them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest_asyncio

from server.core.values import Neo4jAddress
from server.embedded import EmbeddedPostgres, no_progress
from server.embedded.neo4j_home import LOOPBACK, free_port
from tests.support.server import Home, ServerProcess
from tests.support.tls_proxy import copy


class Neo4jRoute:
    """A port that leads to the Neo4j of all tests, until it is cut.

    To a server, a cut looks as if Neo4j had stopped. Starting a stopped Neo4j again would take six
    seconds of CPU.
    """

    def __init__(self, neo4j: Neo4jAddress) -> None:
        self._target = urlsplit(neo4j.uri)
        self._port = free_port()
        self._listener: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self.address = replace(neo4j, uri=f"bolt://{LOOPBACK}:{self._port}")

    async def open(self) -> None:
        """Accepts connections from now on."""
        self._listener = await asyncio.start_server(self._forward, LOOPBACK, self._port)

    async def cut(self) -> None:
        """Ends all connections and refuses new ones."""
        if self._listener is not None:
            self._listener.close()
        for connection in self._connections:
            connection.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Known before it leads anywhere, so that no connection outlasts a cut.
        self._connections.add(writer)
        inner_reader, inner_writer = await asyncio.open_connection(
            self._target.hostname, self._target.port
        )
        await asyncio.gather(
            copy(reader, inner_writer), copy(inner_reader, writer), return_exceptions=True
        )
        self._connections.discard(writer)


@pytest_asyncio.fixture
async def neo4j_route(neo4j_address: Neo4jAddress) -> AsyncIterator[Neo4jRoute]:
    """A way to the Neo4j of all tests, for one test."""
    route = Neo4jRoute(neo4j_address)
    await route.open()
    yield route
    await route.cut()


def at(home: Home, address: Neo4jAddress, **variables: str) -> ServerProcess:
    """Returns a server that finds Neo4j at this address."""
    return home.server(
        **variables,
        MEMOIR_NEO4J_URI=address.uri,
        MEMOIR_NEO4J_USER=address.user,
        MEMOIR_NEO4J_PASSWORD=address.password,
    )


@pytest_asyncio.fixture
async def own_postgres(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A PostgreSQL for one test, restarted when it dies. It flushes every commit."""
    async with EmbeddedPostgres(tmp_path / "postgres", no_progress) as postgres:
        yield postgres
