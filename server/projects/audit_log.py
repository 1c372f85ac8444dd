"""The audit log, read page by page for callers and whole for operators."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from server.core.values import Page, page_of
from server.projects.ports import ProjectStore
from server.projects.project import AuditEvent

_AUDIT_BATCH: Final = 500


class ListAuditEvents:
    """Reads a project's audit log page by page, newest event first.

    The transaction that performs an administrative or destructive act also records it.
    """

    def __init__(self, projects: ProjectStore) -> None:
        self._projects = projects

    async def __call__(
        self, project_id: str, page_size: int, before: int = 0
    ) -> Page[AuditEvent, int]:
        """Returns the newest events before the position `before`; 0 means the newest of all.

        Raises:
            StoreUnavailable: the log cannot be read.
        """
        events = await self._projects.latest_audit_events(project_id, before, page_size + 1)
        return page_of(events, page_size, lambda event: event.position)


async def all_events(
    projects: ProjectStore, project_id: str | None, since: datetime
) -> AsyncIterator[AuditEvent]:
    """Yields all events of one project, or of all, since a time, oldest first.

    Raises:
        StoreUnavailable: the log cannot be read.
    """
    position = 0
    while batch := await projects.audit_events(project_id, since, position, _AUDIT_BATCH):
        for event in batch:
            yield event
        position = batch[-1].position
