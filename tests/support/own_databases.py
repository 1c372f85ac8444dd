"""Databases for one test, which may stop or kill them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from server.core.values import Neo4jAddress
from server.embedded import EmbeddedNeo4j, EmbeddedPostgres, no_progress
from tests.support.neo4j import unstarted_neo4j
from tests.support.server import Home, ServerProcess


@pytest_asyncio.fixture
async def own_neo4j(tmp_path: Path) -> AsyncIterator[EmbeddedNeo4j]:
    """A Neo4j for one test, not started yet."""
    neo4j = unstarted_neo4j(tmp_path / "neo4j")
    yield neo4j
    await neo4j.stop()


def at(home: Home, address: Neo4jAddress, **variables: str) -> ServerProcess:
    """Returns a server that uses this Neo4j."""
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
