"""The memories table of Mem0 OSS on PostgreSQL, as a source of an import."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg

from server.core.transient_errors import StoreUnavailable
from server.projects.archive.format import ArchiveUnusable
from server.projects.archive.mem0 import Mem0Memory
from server.projects.ports import Mem0Source
from server.storage.postgres.pool import UNAVAILABLE
from server.storage.postgres.statements import load_sql

if TYPE_CHECKING:
    PlainConnection = asyncpg.Connection[asyncpg.Record]

MEM0_BATCH = 200
CONNECT_SECONDS = 10.0

MEM0_SQL = load_sql("mem0.sql")


async def _memories(connection: PlainConnection, statement: str) -> AsyncIterator[list[Mem0Memory]]:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        cursor = await connection.cursor(statement)
        while batch := await cursor.fetch(MEM0_BATCH):
            yield [Mem0Memory(row["id"], json.loads(row["payload"] or "{}")) for row in batch]


@asynccontextmanager
async def open_mem0_table(dsn: str, name: str) -> AsyncIterator[Mem0Source]:
    """Opens the table with this name, which may include its schema.

    Raises:
        StoreUnavailable: its database cannot be reached.
        ArchiveUnusable: there is no table with this name, `id uuid` and `payload jsonb`.
    """
    try:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS)
    except (TimeoutError, *UNAVAILABLE) as error:
        raise StoreUnavailable from error
    try:
        statements = await connection.fetchrow(*MEM0_SQL["statements"](table_name=name))
        if statements is None:
            raise ArchiveUnusable(
                f"there is no table {name!r} with the columns id (uuid) and payload (jsonb)"
            )
        count = int(await connection.fetchval(statements["count"]))
        yield Mem0Source(count, _memories(connection, statements["memories"]))
    finally:
        await connection.close()
