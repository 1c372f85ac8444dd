"""Erasing what has expired on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID

from server.adapters.postgres.erasing import erase, translate_version_conflicts
from server.adapters.postgres.pool import Database, transaction
from server.adapters.statements import load_statements
from server.domain.scope_kinds import DeletionReceipt
from server.ports.memory_store import Call
from server.telemetry.recording import record_changes

if TYPE_CHECKING:
    from server.adapters.postgres.pool import Connection

SQL = load_statements("server.adapters.postgres.sql", "retention.sql")


class PostgresRetention:
    """Implements `server.ports.retention.Retention`.

    `on_commit` is called after every commit, so that what waits for changes need not poll.
    """

    def __init__(self, database: Database, on_commit: Callable[[], None]) -> None:
        self._database = database
        self._on_commit = on_commit

    async def purge(
        self, expired_before: date, limit: int, call_of: Callable[[str], Call]
    ) -> DeletionReceipt | None:
        """See the port."""
        with translate_version_conflicts():
            async with self._database.connection() as connection, transaction(connection):
                if not await connection.fetchval(SQL["try_alone"]):
                    return None
                passages = await connection.fetchrow(SQL["purge_passages"], expired_before, limit)
                if passages is not None and passages["passages"]:
                    return DeletionReceipt(**passages)
                project_id, memory_ids = await _expired(connection, expired_before, limit)
                if not memory_ids:
                    return None
                deletion = await erase(connection, call_of(project_id), memory_ids)
        self._on_commit()
        record_changes(deleted=deletion.receipt.memories)
        return deletion.receipt


async def _expired(
    connection: Connection, expired_before: date, limit: int
) -> tuple[str, list[UUID]]:
    """A project and memories of it, present ones before those that were deleted."""
    rows = await connection.fetch(SQL["lock_expired"], expired_before, limit)
    rows = rows or await connection.fetch(SQL["find_deleted"], expired_before, limit)
    project_id = rows[0]["project_id"] if rows else ""
    return project_id, [row["memory_id"] for row in rows if row["project_id"] == project_id]
