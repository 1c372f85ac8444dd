"""A database with many memories, loaded once for the tests of plans."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.postgres import connected_after, migrated_database
from tests.support.query_plans import LOAD


@pytest_asyncio.fixture(scope="session")
async def loaded_dsn(postgres_server: str) -> AsyncIterator[str]:
    """The DSN of a database with thousands of memories. To be copied, not used."""
    async with migrated_database(postgres_server) as dsn:
        async with connected_after(dsn, LOAD):
            pass
        yield dsn
