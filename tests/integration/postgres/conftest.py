"""A database of its own for each test, because many of them change the schema or look at plans."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.postgres import migrated_database


@pytest_asyncio.fixture
async def postgres_dsn(postgres_server: str) -> AsyncIterator[str]:
    """The DSN of a migrated database for one test."""
    async with migrated_database(postgres_server) as dsn:
        yield dsn
