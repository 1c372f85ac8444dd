"""The part of the composition root that opens the database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.adapters.postgres.pool import Database, PoolOptions, open_pool
from server.settings import PostgresSettings


@asynccontextmanager
async def open_database(dsn: str, settings: PostgresSettings) -> AsyncIterator[Database]:
    """The connection pool, closed at the end of the block."""
    options = PoolOptions(
        max_size=settings.pool_size,
        acquire_timeout=settings.acquire_timeout,
        statement_timeout=settings.statement_timeout,
    )
    pool = await open_pool(dsn, options)
    try:
        yield Database(pool, settings.acquire_timeout)
    finally:
        pool.terminate()
