"""Reads the audit log, to which administrative and destructive acts are only ever added.

Acts are written by the transactions that perform them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from server.projects.ports import ProjectStore
from server.projects.project import AuditEvent


@dataclass(frozen=True, slots=True)
class AuditPage:
    """One page, newest event first; the next page ends before the position `next`."""

    events: Sequence[AuditEvent]
    next: int | None


_BATCH: Final = 500


class ListAuditEvents:
    """Reads a project's audit log page by page, newest event first."""

    def __init__(self, projects: ProjectStore) -> None:
        self._projects = projects

    async def __call__(self, project_id: str, page_size: int, before: int = 0) -> AuditPage:
        """Returns the newest events before the position `before`, or of all if it is 0.

        Raises:
            StoreUnavailable: the log cannot be read.
        """
        # One extra event shows whether there is a next page.
        events = await self._projects.latest_audit_events(project_id, before, page_size + 1)
        page = events[:page_size]
        return AuditPage(page, page[-1].position if len(events) > page_size else None)


async def all_events(
    projects: ProjectStore, project_id: str | None, since: datetime
) -> AsyncIterator[AuditEvent]:
    """Yields all events of one project, or of all, since a time, oldest first.

    Raises:
        StoreUnavailable: the log cannot be read.
    """
    position = 0
    while batch := await projects.audit_events(project_id, since, position, _BATCH):
        for event in batch:
            yield event
        position = batch[-1].position
