"""Whole projects on PostgreSQL as rows of JSON, and the memories table of Mem0 OSS."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import asyncpg

from server.core.transient_errors import StoreUnavailable
from server.core.values import Vector
from server.projects.archive.format import (
    EMBEDDED,
    ArchiveHeader,
    ArchiveUnusable,
    ProjectOccupied,
    RowKind,
)
from server.projects.archive.mem0 import Mem0Memory
from server.projects.ports import Mem0Source, ProjectSnapshot
from server.projects.project import ProjectUnknown
from server.storage.postgres.connections import transaction
from server.storage.postgres.pool import UNAVAILABLE, Database
from server.storage.postgres.rows import to_halfvec
from server.storage.postgres.statements import load_sql

if TYPE_CHECKING:
    PlainConnection = asyncpg.Connection[asyncpg.Record]

ARCHIVE_SQL = load_sql("archive.sql")

ARCHIVE_BATCH = 500


class PostgresProjectArchives:
    """Implements the methods of `server.projects.ports.ProjectStore` on archives."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def snapshot(
        self, project_id: str, *, embeddings: bool
    ) -> AsyncIterator[ProjectSnapshot]:
        async with (
            self._database.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            described = await connection.fetchrow(*ARCHIVE_SQL["describe"](project_id=project_id))
            if described is None:
                raise ProjectUnknown(project_id)
            counts = await connection.fetchrow(*ARCHIVE_SQL["counts"](project_id=project_id))
            assert counts is not None

            async def rows(kind: RowKind) -> AsyncIterator[list[str]]:
                suffix = "_embedded" if embeddings and kind in EMBEDDED else ""
                read = ARCHIVE_SQL[f"read_{kind}{suffix}"](project_id=project_id)
                cursor = await connection.cursor(*read)
                while batch := await cursor.fetch(ARCHIVE_BATCH):
                    yield [row[0] for row in batch]

            yield ProjectSnapshot(
                described["last_position"],
                described["embedding_model"],
                {kind: int(counts[kind]) for kind in RowKind},
                rows,
            )

    async def begin_import(self, project_id: str, header: ArchiveHeader) -> None:
        archive = str(header.archive_id)
        async with self._database.connection() as connection, transaction(connection):
            occupant = await connection.fetchrow(*ARCHIVE_SQL["occupant"](project_id=project_id))
            if occupant is None:
                raise ProjectUnknown(project_id)
            if occupant["is_occupied"] and occupant["archive"] != archive:
                raise ProjectOccupied(project_id)
            await connection.execute(*ARCHIVE_SQL["occupy"](project_id=project_id, archive=archive))
            await connection.execute(*ARCHIVE_SQL["advance"](last_position=header.last_position))

    async def write_rows(self, project_id: str, kind: RowKind, rows: Sequence[str]) -> int:
        return len(await self._fetch("write", kind, project_id, rows))

    async def missing_rows(
        self, project_id: str, rows: Sequence[str], kind: RowKind = RowKind.MEMORY
    ) -> list[str]:
        return [row["line"] for row in await self._fetch("missing", kind, project_id, rows)]

    async def write_embedded(
        self,
        project_id: str,
        rows: Sequence[str],
        embeddings: Sequence[Vector],
        kind: RowKind = RowKind.MEMORY,
    ) -> int:
        vectors = [to_halfvec(embedding) for embedding in embeddings]
        return len(await self._fetch("write", kind, project_id, rows, vectors=vectors))

    async def _fetch(
        self, verb: str, kind: RowKind, project_id: str, rows: Sequence[str], **values: object
    ) -> list[asyncpg.Record]:
        bound = ARCHIVE_SQL[f"{verb}_{kind}"](project_id=project_id, rows=list(rows), **values)
        with translate_faults(kind):
            return await self._database.fetch(bound)


@contextmanager
def translate_faults(kind: RowKind) -> Iterator[None]:
    """Raises ArchiveUnusable if PostgreSQL refuses a row of this kind for its content."""
    try:
        yield
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
        raise ArchiveUnusable(
            f"a {kind} does not fit the tables ({type(error).__name__}); "
            "correct or remove it in the archive, and import the archive again"
        ) from error


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
