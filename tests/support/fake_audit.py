"""The audit log in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from server.audit import AuditEvent


@dataclass
class FakeAuditLog:
    """Holds these events, oldest first."""

    events: Sequence[AuditEvent] = ()

    async def latest(self, project_id: str | None, before: int, limit: int) -> list[AuditEvent]:
        found = [
            event
            for event in reversed(self.events)
            if project_id in {None, event.project_id} and (not before or event.position < before)
        ]
        return found[:limit]

    async def read(
        self, project_id: str | None, since: datetime, after: int, limit: int
    ) -> list[AuditEvent]:
        found = [
            event
            for event in self.events
            if project_id in {None, event.project_id}
            and event.position > after
            and event.time >= since
        ]
        return found[:limit]
