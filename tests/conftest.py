"""What all tests share: the fixtures of the real databases and of the running server."""

from __future__ import annotations

pytest_plugins = [
    "tests.support.neo4j",
    "tests.support.postgres",
    "tests.support.server",
]
