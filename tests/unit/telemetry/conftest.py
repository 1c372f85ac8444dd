"""Fixtures for tests of logging."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Undoes what `configure_logging` did in the test."""
    root, neo4j = logging.getLogger(), logging.getLogger("neo4j")
    handlers, level, neo4j_level = root.handlers[:], root.level, neo4j.level
    with structlog.contextvars.bound_contextvars():
        yield
    structlog.reset_defaults()
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    neo4j.setLevel(neo4j_level)
