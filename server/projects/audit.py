"""The log of administrative and destructive acts, which is only ever added to.

This module reads it. Acts are written by the transactions that perform them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from server.core.values import JsonObject


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Who did what, from where, and what changed.

    `key_id` and `peer` are the API key and the client's address. On the command line there is no
    key, and `peer` is `cli:USER@HOST`; both are None for the service's own work. `project_id` is
    None for acts on an organization. `target` has the ids of what was acted on, `before` and
    `after` have settings, versions and counts, never the text of a memory. `position` orders all
    events.
    """

    id: UUID
    position: int
    time: datetime
    project_id: str | None
    org_id: str
    action: str
    key_id: str | None
    peer: str | None
    correlation_id: str
    target: JsonObject
    before: JsonObject
    after: JsonObject


@dataclass(frozen=True, slots=True)
class AuditPage:
    """One page, newest event first; the next page ends before the position `next`."""

    events: Sequence[AuditEvent]
    next: int | None


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
