"""What happened to a memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from server.domain.memory import EventType, Memory, Provenance
from server.domain.scope import Scope

# Before the ordinals of all events; what makes room for a call has -1.
FIRST_ORDINAL = -2
FIRST_ID = UUID(int=0)


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

    @property
    def scope(self) -> Scope:
        """Whose memory it was; nobody's where neither state is known."""
        state = self.after or self.before
        return state.scope if state else Scope()


@dataclass(frozen=True, slots=True, order=True)
class StreamCursor:
    """A place in the order of all events: that of an event, or the begin of a transaction."""

    transaction_id: int
    position: int = 0
    ordinal: int = FIRST_ORDINAL
    memory_id: UUID = FIRST_ID
    version: int = 0
