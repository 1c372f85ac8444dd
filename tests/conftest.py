"""What all tests share: the fixtures of the real databases and of the running server."""

from __future__ import annotations

import gc

from hypothesis import settings

from tests.support.seeds import FIXED

# Every run tries the same examples, and a busy machine fails none of them.
settings.register_profile("memoir", derandomize=True, deadline=None)
settings.load_profile("memoir")

pytest_plugins = [
    "tests.support.neo4j",
    "tests.support.postgres",
    "tests.support.server",
    "tests.support.own_databases",
    "tests.support.gemini_server",
    "tests.support.spans",
    "tests.support.collector",
    "tests.support.traced_server",
    "tests.support.whole_graph",
]


def pytest_report_header() -> str:
    """Says which seed the tests draw by, in the first lines of a run."""
    return f"seed: {FIXED}, unless a variable such as CHAOS_SEED gives another one"


def pytest_collection_finish() -> None:
    """Lets the garbage collector pass over the thousands of tests, which exist until the end."""
    gc.freeze()
