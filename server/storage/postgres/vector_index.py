"""The indexes for searches of very large scopes: HNSW for embeddings, GIN for words.

Y. Malkov, D. Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical
Navigable Small World graphs", 2016. https://arxiv.org/abs/1603.09320
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Final

import asyncpg

from server.core.background import running
from server.core.transient_errors import StoreUnavailable
from server.maintenance import StoreUnready
from server.storage.postgres.pool import UNAVAILABLE
from server.storage.postgres.statements import SqlStatement, load_sql

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection


SQL = load_sql("vector_index.sql")
_LOOK_AGAIN_SECONDS: Final = 60.0
_WORTHWHILE: Final = 60.0
"""The index holds the vectors of all scopes. A walk through it meets a memory of a scope of n among
N memories every N/n steps, so the walk costs in proportion to N/n, while comparing the whole scope
costs in proportion to n. The walk is cheaper for scopes larger than this factor times the square
root of N. ADR 0021 has the measurements."""


def index_name(dimensions: int) -> str:
    """Returns the name of the index for vectors of this length."""
    return f"memories_embedding_{dimensions}"


def cast_to(dimensions: int) -> str:
    """Returns the cast for the index, because vectors of varying length cannot be indexed."""
    return f"::halfvec({dimensions:d})"


@dataclass(frozen=True, slots=True)
class _Reading:
    time: float
    memories: float
    is_indexed: bool


class VectorIndex:
    """Whether the vectors have an index, checked from time to time."""

    def __init__(self) -> None:
        self._readings: dict[int, _Reading] = {}

    async def serves(self, connection: Connection, dimensions: int, memories: float) -> bool:
        """Whether the index makes searching a scope of this many memories faster."""
        read = self._readings.get(dimensions)
        if read is None or time.monotonic() - read.time > _LOOK_AGAIN_SECONDS:
            row = await connection.fetchrow(*SQL["vector_index"](index_name=index_name(dimensions)))
            assert row is not None
            read = _Reading(time.monotonic(), row["memories"], row["is_indexed"])
            self._readings[dimensions] = read
        return read.is_indexed and memories > _WORTHWHILE * sqrt(read.memories)


if TYPE_CHECKING:
    PlainConnection = asyncpg.Connection[asyncpg.Record]

LEXEMES: Final = "memories_lexemes"
_LOOK_SECONDS: Final = 0.5


class PostgresSearchIndexing:
    """The indexes that speed up searches of large scopes, by vectors and by words.

    Servers may keep working; they start or stop using the indexes within a minute. Both methods
    raise StoreUnavailable if PostgreSQL cannot be reached. They use connections of their own,
    because a build takes longer than the servers' statement timeout.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def build(
        self, memory_mib: int, on_progress: Callable[[int, int], None] = lambda _done, _total: None
    ) -> None:
        """Builds the missing indexes, with this much memory.

        Raises:
            StoreUnready: no server has used this store yet, so it has no embedder.
        """
        async with self._connected() as connection:
            dimensions = await connection.fetchval(*SQL["dimensions"]())
            if dimensions is None:
                raise StoreUnready("the store has no embedder yet: start a server on it first")
            await connection.fetch(*SQL["allow"](memory=f"{memory_mib}MB"))
            async with running("index-progress", self._watch(on_progress)):
                create = SQL["create_lexemes"].fill(name=LEXEMES)
                await _build(connection, LEXEMES, create)
                name = index_name(dimensions)
                create = SQL["create"].fill(name=name, cast=cast_to(dimensions))
                await _build(connection, name, create)

    async def drop(self) -> None:
        """Removes all the indexes."""
        async with self._connected() as connection:
            rows = await connection.fetch(*SQL["vector_indexes"]())
            for name in [*(row["relname"] for row in rows), LEXEMES]:
                await connection.execute(*SQL["drop"].fill(name=name)())

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[PlainConnection]:
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

    async def _watch(self, on_progress: Callable[[int, int], None]) -> None:
        async with self._connected() as connection:
            while True:
                row = await connection.fetchrow(*SQL["progress"]())
                if row is not None and row["total"]:
                    on_progress(row["done"], row["total"])
                await asyncio.sleep(_LOOK_SECONDS)


async def _build(connection: PlainConnection, name: str, create: SqlStatement) -> None:
    """Builds an index, after dropping the useless remains of an interrupted build."""
    if await connection.fetchval(*SQL["is_valid"](index_name=name)):
        return
    await connection.execute(*SQL["drop"].fill(name=name)())
    await connection.execute(*create())
