"""The stores that suites of other ports write to and read from."""

from __future__ import annotations

import pytest

from server.memories.change.ports import MemoryChanges
from server.memories.ports import MemoryStore
from server.storage.postgres.memory_changes import PostgresMemoryChanges
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.pool import Database


@pytest.fixture
def commits() -> list[None]:
    """Grows by one with every commit that the changes tell of."""
    return []


@pytest.fixture
def store(database: Database) -> MemoryStore:
    return PostgresMemoryStore(database, on_commit=lambda: None)


@pytest.fixture
def changes(database: Database, commits: list[None]) -> MemoryChanges:
    return PostgresMemoryChanges(database, on_commit=lambda: commits.append(None))
