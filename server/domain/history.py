"""What happened to a memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from server.domain.memory import EventType, Memory, Provenance


@dataclass(frozen=True, slots=True)
class MemoryEvent:
    """One entry of a memory's history.

    `version` is the one that the event led to; a deletion counts as one. `before` is None for ADD,
    `after` for DELETE.
    """

    memory_id: UUID
    type: EventType
    version: int
    time: datetime
    before: Memory | None
    after: Memory | None
    provenance: Provenance
