"""The past of memories, as the fakes of the store keep it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from server.core.values import Vector
from server.memories.changes import Call
from server.memories.memory import EventType, Memory, MemoryEvent, Provenance
from server.memories.queries import StoredChange
from tests.support.builders import call

LONG_AGO = datetime.min.replace(tzinfo=UTC)
"""A time before every time that a test asks for."""


@dataclass
class Past:
    """The events of memories in order, and the embeddings of their texts."""

    events: list[MemoryEvent] = field(default_factory=list)
    embeddings: dict[tuple[UUID, int], Vector] = field(default_factory=dict)
    _states: dict[UUID, Memory | None] = field(default_factory=dict)

    def of(self, memory_id: UUID) -> list[MemoryEvent]:
        """Returns the events of one memory."""
        return [event for event in self.events if event.memory_id == memory_id]

    def record(self, change: StoredChange, call: Call, embedding: Vector | None) -> None:
        """Appends a call's change of a memory."""
        memory, is_deletion = change.memory, change.event is EventType.DELETE
        event = MemoryEvent(
            memory.id,
            change.event,
            memory.version + is_deletion,
            call.time,
            self._states.get(memory.id),
            None if is_deletion else memory,
            _provenance(call) if is_deletion else memory.provenance,
        )
        self._add(event, embedding)

    def set_versions(self, memory_id: UUID, *states: tuple[Memory | None, Vector | None]) -> None:
        """Gives a memory these versions in order; a version without a state is a deletion."""
        self.events = [event for event in self.events if event.memory_id != memory_id]
        self._states.pop(memory_id, None)
        provenance = _provenance(call())
        for version, (after, embedding) in enumerate(states, start=1):
            before = self._states.get(memory_id)
            kind = EventType.DELETE if after is None else EventType.UPDATE
            event = MemoryEvent(memory_id, kind, version, LONG_AGO, before, after, provenance)
            self._add(event, embedding)

    def _add(self, event: MemoryEvent, embedding: Vector | None) -> None:
        self.events.append(event)
        self._states[event.memory_id] = event.after
        if embedding is not None and event.after is not None:
            self.embeddings[event.memory_id, event.version] = embedding


def past_of(memories: Sequence[Memory]) -> Past:
    """Returns a history in which these memories never changed."""
    past = Past()
    for memory in memories:
        past.set_versions(memory.id, (memory, None))
    return past


def _provenance(of: Call) -> Provenance:
    return Provenance(
        of.id,
        of.request_id,
        of.correlation_id,
        of.embedding_model,
        of.language_model,
        of.prompt_version,
    )
