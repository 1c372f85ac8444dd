"""The stores that suites of other ports write to and read from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from server.graph.ports import Graph
from server.memories.ports import MemoryStore
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.pool import Database
from tests.support.fake_graph import FakeGraph
from tests.support.fake_store import FakeStore


@pytest.fixture
def commits() -> list[None]:
    """Increases by one with every commit that the store reports."""
    return []


@pytest.fixture
def store(database: Database) -> MemoryStore:
    return PostgresMemoryStore(database, on_commit=lambda: None)


@pytest.fixture
def changes(request: pytest.FixtureRequest, store: MemoryStore, commits: list[None]) -> MemoryStore:
    """A store with the same data as `store`, even if a suite uses a fake."""

    def on_commit() -> None:
        commits.append(None)

    if isinstance(store, FakeStore):
        return replace(store, on_commit=on_commit)
    return PostgresMemoryStore(request.getfixturevalue("database"), on_commit)


@pytest.fixture(params=["fake", "neo4j"])
def graph(request: pytest.FixtureRequest) -> Graph:
    """An empty graph."""
    if request.param == "fake":
        return FakeGraph()
    stored: Graph = request.getfixturevalue("neo4j_graph")
    return stored
