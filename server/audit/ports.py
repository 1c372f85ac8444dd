"""The port that reads the audit log. Acts are written by the transactions that perform them."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from server.audit.events import AuditEvent


class AuditLog(Protocol):
    """The audit log. Both methods raise StoreUnavailable if PostgreSQL cannot be reached."""

    async def latest(self, project_id: str | None, before: int, limit: int) -> list[AuditEvent]:
        """Returns the newest events of one project, or of all, before a position, newest first.

        The position 0 returns the newest of all.
        """
        ...

    async def read(
        self, project_id: str | None, since: datetime, after: int, limit: int
    ) -> list[AuditEvent]:
        """Returns events of one project, or of all, after a position and a time, oldest first."""
        ...
