"""Fakes that use cases of changes work with."""

from __future__ import annotations

import pytest

from tests.support.fake_store import FakeStore
from tests.support.fakes import FakeEmbedder


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def embedder() -> FakeEmbedder:
    return FakeEmbedder()
