"""One act in the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
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
