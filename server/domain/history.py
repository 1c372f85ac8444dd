"""What happened to a memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from server.domain.memory import EventType, Memory, Provenance
from server.domain.scope import Scope
from server.domain.values import Vector

# Before the ordinals of all events; what makes room for a call has -1.
FIRST_ORDINAL = -2
FIRST_ID = UUID(int=0)


@dataclass(frozen=True, slots=True)
class MemoryEvent:
    """One entry of a memory's history.

    `version` is the one that the event led to; a deletion counts as one. `before` is None for ADD
    and for the restoring of a deleted memory, `after` for DELETE. Of a memory that was erased both
    are None, and `erased_scope` is whose it was.
    """

    memory_id: UUID
    type: EventType
    version: int
    time: datetime
    before: Memory | None
    after: Memory | None
    provenance: Provenance
    erased_scope: Scope | None = None

    @property
    def scope(self) -> Scope:
        """Whose memory it was; nobody's where that is not known."""
        state = self.after or self.before
        return state.scope if state else self.erased_scope or Scope()


@dataclass(frozen=True, slots=True)
class PastVersion:
    """A memory as it was at one version.

    `memory` is None if that version is a deletion. `embedding` is that of its text, None where it
    was not kept. `last_version` is the newest version that the memory has had.
    """

    memory: Memory | None
    embedding: Vector | None
    last_version: int


@dataclass(frozen=True, slots=True, order=True)
class StreamCursor:
    """A place in the order of all events: that of an event, or the begin of a transaction."""

    transaction_id: int
    position: int = 0
    ordinal: int = FIRST_ORDINAL
    memory_id: UUID = FIRST_ID
    version: int = 0
