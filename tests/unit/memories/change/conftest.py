"""Fakes that use cases of changes work with."""

from __future__ import annotations

import pytest

from tests.support.fake_changes import FakeChanges
from tests.support.fake_history import FakeHistory
from tests.support.fake_store import FakeStore
from tests.support.fakes import FakeEmbedder


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def changes(store: FakeStore) -> FakeChanges:
    return FakeChanges(store)


@pytest.fixture
def history() -> FakeHistory:
    return FakeHistory()


@pytest.fixture
def embedder() -> FakeEmbedder:
    return FakeEmbedder()
