"""Whole projects on PostgreSQL, as rows of JSON that PostgreSQL itself writes and reads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg

from server.adapters.postgres.pool import Database, transaction
from server.adapters.postgres.vectors import to_halfvec
from server.adapters.statements import load_statements
from server.domain.archive import (
    EMBEDDED,
    ArchiveHeader,
    ArchiveUnusable,
    ProjectOccupied,
    ProjectUnknown,
    RowKind,
)
from server.domain.values import Vector

if TYPE_CHECKING:
    from server.adapters.postgres.pool import Connection

SQL = load_statements("server.adapters.postgres.sql", "archive.sql")

BATCH = 500


@dataclass(frozen=True, slots=True)
class PostgresSnapshot:
    """Implements `server.ports.archive.ProjectSnapshot` in one transaction."""

    connection: Connection
    project_id: str
    last_position: int
    embedding_model: str | None
    counts: Mapping[RowKind, int]

    async def rows(self, kind: RowKind, *, embeddings: bool) -> AsyncIterator[list[str]]:
        """See the port."""
        name = f"read_{kind}" + ("_embedded" if embeddings and kind in EMBEDDED else "")
        columns = SQL[f"{kind}_columns"] if kind in EMBEDDED else ""
        cursor = await self.connection.cursor(
            SQL[name].replace("{columns}", columns), self.project_id
        )
        while batch := await cursor.fetch(BATCH):
            yield [row[0] for row in batch]


class PostgresProjectReader:
    """Implements `server.ports.archive.ProjectReader`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def snapshot(self, project_id: str) -> AsyncIterator[PostgresSnapshot]:
        """See the port."""
        async with (
            self._database.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            described = await connection.fetchrow(SQL["describe"], project_id)
            if described is None:
                raise ProjectUnknown(project_id)
            counts = await connection.fetchrow(SQL["counts"], project_id)
            assert counts is not None
            by_kind = {kind: int(counts[kind]) for kind in RowKind}
            yield PostgresSnapshot(
                connection,
                project_id,
                described["last_position"],
                described["embedding_model"],
                by_kind,
            )


class PostgresProjectWriter:
    """Implements `server.ports.archive.ProjectWriter`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, project_id: str, header: ArchiveHeader) -> None:
        """See the port."""
        archive = str(header.archive_id)
        async with self._database.connection() as connection, transaction(connection):
            occupant = await connection.fetchrow(SQL["occupant"], project_id)
            if occupant is None:
                raise ProjectUnknown(project_id)
            if occupant["is_occupied"] and occupant["archive"] != archive:
                raise ProjectOccupied(project_id)
            await connection.execute(SQL["occupy"], project_id, archive)
            await connection.execute(SQL["advance"], header.last_position)

    async def write(self, project_id: str, kind: RowKind, rows: Sequence[str]) -> int:
        """See the port."""
        return len(await self._fetch(f"write_{kind}", project_id, rows))

    async def missing(
        self, project_id: str, rows: Sequence[str], kind: RowKind = RowKind.MEMORY
    ) -> list[str]:
        """See the port."""
        return [row["line"] for row in await self._fetch(f"missing_{kind}", project_id, rows)]

    async def write_embedded(
        self,
        project_id: str,
        rows: Sequence[str],
        embeddings: Sequence[Vector],
        kind: RowKind = RowKind.MEMORY,
    ) -> int:
        """See the port."""
        vectors = [to_halfvec(embedding) for embedding in embeddings]
        return len(await self._fetch(f"write_{kind}", project_id, rows, vectors))

    async def _fetch(
        self, name: str, project_id: str, rows: Sequence[str], *values: object
    ) -> list[asyncpg.Record]:
        async with self._database.connection() as connection:
            with _faults_told():
                return await connection.fetch(SQL[name], project_id, list(rows), *values)


@contextmanager
def _faults_told() -> Iterator[None]:
    try:
        yield
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
        raise ArchiveUnusable("a row does not fit the tables") from error
