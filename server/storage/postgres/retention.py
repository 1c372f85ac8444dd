"""Erases expired memories with their history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID

from server.memories.changes import Call
from server.memories.scope import DeletionReceipt
from server.storage.postgres.erasing import erase
from server.storage.postgres.statements import load_sql

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection

RETENTION_SQL = load_sql("retention.sql")


async def purge(
    connection: Connection, expired_before: date, limit: int, call_of: Callable[[str], Call]
) -> DeletionReceipt | None:
    """Erases expired memories of one project, at most `limit`.

    Returns None if there are none, or if another server is erasing them.
    """
    if not await connection.fetchval(*RETENTION_SQL["try_alone"]()):
        return None
    passages = await connection.fetchrow(
        *RETENTION_SQL["purge_passages"](expired_before=expired_before, limit=limit)
    )
    if passages is not None and passages["passages"]:
        return DeletionReceipt(**passages)
    project_id, memory_ids = await _lock_expired(connection, expired_before, limit)
    if not memory_ids:
        return None
    return (await erase(connection, call_of(project_id), memory_ids)).receipt


async def _lock_expired(
    connection: Connection, expired_before: date, limit: int
) -> tuple[str, list[UUID]]:
    """Returns a project and some of its memories, existing ones before deleted ones."""
    bounds = {"expired_before": expired_before, "limit": limit}
    rows = await connection.fetch(*RETENTION_SQL["lock_expired"](**bounds))
    rows = rows or await connection.fetch(*RETENTION_SQL["find_deleted"](**bounds))
    project_id = rows[0]["project_id"] if rows else ""
    return project_id, [row["memory_id"] for row in rows if row["project_id"] == project_id]
