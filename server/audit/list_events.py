"""Reads the audit log of a project, or of all for an operator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from server.audit.events import AuditEvent, AuditPage
from server.audit.ports import AuditLog

_BATCH: Final = 500


class ListAuditEvents:
    """Reads a project's audit log page by page, newest event first."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    async def __call__(self, project_id: str, page_size: int, before: int = 0) -> AuditPage:
        """Returns the newest events before the position `before`, or of all if it is 0.

        Raises:
            StoreUnavailable: the log cannot be read.
        """
        # One extra event shows whether there is a next page.
        events = await self._log.latest(project_id, before, page_size + 1)
        page = events[:page_size]
        return AuditPage(page, page[-1].position if len(events) > page_size else None)


async def all_events(
    log: AuditLog, project_id: str | None, since: datetime
) -> AsyncIterator[AuditEvent]:
    """Yields all events of one project, or of all, since a time, oldest first.

    Raises:
        StoreUnavailable: the log cannot be read.
    """
    position = 0
    while batch := await log.read(project_id, since, position, _BATCH):
        for event in batch:
            yield event
        position = batch[-1].position
