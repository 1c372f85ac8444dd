"""What all tests share: the fixtures of the real databases and of the running server."""

from __future__ import annotations

from hypothesis import settings

# Every run tries the same examples, and a busy machine fails none of them.
settings.register_profile("memoir", derandomize=True, deadline=None)
settings.load_profile("memoir")

pytest_plugins = [
    "tests.support.neo4j",
    "tests.support.postgres",
    "tests.support.server",
    "tests.support.gemini_server",
    "tests.support.spans",
    "tests.support.collector",
    "tests.support.traced_server",
]
