"""Building and dropping the indexes for searches of very large scopes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import asyncpg

from server.adapters.postgres.pool import UNAVAILABLE
from server.adapters.postgres.vector_index import SQL, cast_to, index_name
from server.domain.errors import StoreUnavailable
from server.domain.store_faults import StoreUnready

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

LEXEMES: Final = "memories_lexemes"
_LOOK_SECONDS: Final = 0.5


class PostgresSearchIndexing:
    """Implements `server.ports.search_indexing.SearchIndexing`.

    On connections of its own: a build takes longer than a statement of a server may.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def build(
        self, memory_mib: int, on_progress: Callable[[int, int], None] = lambda _done, _total: None
    ) -> None:
        """See the port."""
        async with self._connected() as connection:
            dimensions = await connection.fetchval(SQL["dimensions"])
            if dimensions is None:
                raise StoreUnready(
                    "the store has no embedder yet: a server has to start on it first"
                )
            await connection.fetch(SQL["allow"], f"{memory_mib}MB")
            async with self._watched(on_progress):
                await _build(connection, LEXEMES, SQL["create_lexemes"])
                create = SQL["create"].replace("{cast}", cast_to(dimensions))
                await _build(connection, index_name(dimensions), create)

    async def drop(self) -> None:
        """See the port."""
        async with self._connected() as connection:
            rows = await connection.fetch(SQL["vector_indexes"])
            for name in [*(row["relname"] for row in rows), LEXEMES]:
                await connection.execute(SQL["drop"].replace("{name}", name))

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        try:
            connection = await asyncpg.connect(
                self._dsn, server_settings={"application_name": "memoir-indexing"}
            )
            try:
                yield connection
            finally:
                connection.terminate()
        except UNAVAILABLE as error:
            raise StoreUnavailable from error

    @asynccontextmanager
    async def _watched(self, on_progress: Callable[[int, int], None]) -> AsyncIterator[None]:
        watching = asyncio.create_task(self._watch(on_progress))
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait([watching])

    async def _watch(self, on_progress: Callable[[int, int], None]) -> None:
        async with self._connected() as connection:
            while True:
                row = await connection.fetchrow(SQL["progress"])
                if row is not None and row["total"]:
                    on_progress(row["done"], row["total"])
                await asyncio.sleep(_LOOK_SECONDS)


async def _build(connection: Connection, name: str, create: str) -> None:
    """Builds an index; one whose building was interrupted is of no use and makes way."""
    if await connection.fetchval(SQL["is_valid"], name):
        return
    await connection.execute(SQL["drop"].replace("{name}", name))
    await connection.execute(create.replace("{name}", name))
