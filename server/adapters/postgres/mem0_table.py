"""The table in which Mem0 OSS keeps its memories with pgvector, in whichever database it is."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg

from server.adapters.postgres.pool import UNAVAILABLE
from server.adapters.statements import load_statements
from server.domain.archive import ArchiveUnusable
from server.domain.errors import StoreUnavailable
from server.domain.mem0 import Mem0Memory

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

BATCH = 200
CONNECT_SECONDS = 10.0

SQL = load_statements("server.adapters.postgres.sql", "mem0.sql")


class PostgresMem0Table:
    """Implements `server.ports.archive.Mem0Table`."""

    def __init__(self, connection: Connection, count: str, memories: str) -> None:
        self._connection = connection
        self._count = count
        self._memories = memories

    async def count(self) -> int:
        """See the port."""
        return int(await self._connection.fetchval(self._count))

    async def memories(self) -> AsyncIterator[list[Mem0Memory]]:
        """See the port."""
        async with self._connection.transaction(isolation="repeatable_read", readonly=True):
            cursor = await self._connection.cursor(self._memories)
            while batch := await cursor.fetch(BATCH):
                yield [Mem0Memory(row["id"], json.loads(row["payload"] or "{}")) for row in batch]


@asynccontextmanager
async def open_mem0_table(dsn: str, name: str) -> AsyncIterator[PostgresMem0Table]:
    """The table of that name, with or without its schema.

    Raises:
        StoreUnavailable: its database cannot be reached.
        ArchiveUnusable: there is no table of that name with `id uuid` and `payload jsonb`.
    """
    try:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS)
    except (TimeoutError, *UNAVAILABLE) as error:
        raise StoreUnavailable from error
    try:
        statements = await connection.fetchrow(SQL["statements"], name)
        if statements is None:
            raise ArchiveUnusable(
                f"there is no table {name!r} with the columns id (uuid) and payload (jsonb)"
            )
        yield PostgresMem0Table(connection, statements["count"], statements["memories"])
    finally:
        await connection.close()
