"""The audit log on PostgreSQL."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from server.audit import AuditEvent
from server.core.request_context import current_origin, current_request
from server.storage.postgres.pool import Database
from server.storage.postgres.statements import load_sql

if TYPE_CHECKING:
    from server.storage.postgres.rows import Row


SQL = load_sql("audit.sql")


def actor_values() -> dict[str, object]:
    """Returns the parameters of the block `actor`: who performs the current act."""
    origin = current_origin()
    return {
        "actor_key_id": origin.key_id,
        "actor_peer": origin.peer,
        "correlation_id": current_request().correlation_id,
    }


class PostgresAuditLog:
    """Implements `server.audit.AuditLog`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def latest(self, project_id: str | None, before: int, limit: int) -> list[AuditEvent]:
        statement = (
            SQL["latest_of_all"](before_position=before, limit=limit)
            if project_id is None
            else SQL["latest"](project_id=project_id, before_position=before, limit=limit)
        )
        async with self._database.connection() as connection:
            rows = await connection.fetch(*statement)
        return [_to_event(row) for row in rows]

    async def read(
        self, project_id: str | None, since: datetime, after: int, limit: int
    ) -> list[AuditEvent]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                *SQL["read"](project_id=project_id, since=since, after_position=after, limit=limit)
            )
        return [_to_event(row) for row in rows]


def _to_event(row: Row) -> AuditEvent:
    return AuditEvent(
        id=row["event_id"],
        position=row["position"],
        time=row["event_time"],
        project_id=row["project_id"] or None,
        org_id=row["org_id"],
        action=row["action"],
        key_id=row["key_id"],
        peer=row["peer"],
        correlation_id=row["correlation_id"],
        target=row["target"],
        before=row["before"],
        after=row["after"],
    )
