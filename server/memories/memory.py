"""Memories, their history and where they came from."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from uuid import UUID

from server.core.values import JsonObject, Vector, digest_of
from server.graph.model import Entity, Relation
from server.memories.conversation import Role
from server.memories.scope import Scope


class EventType(StrEnum):
    """What happened to a memory."""

    ADD = "ADD"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    RESTORE = "RESTORE"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage, word for word, of a stored message; "" stands for the whole message."""

    message_id: UUID
    quote: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """What made one state of a memory."""

    call_id: UUID
    request_id: UUID | None
    correlation_id: str
    embedding_model: str
    language_model: str | None = None
    prompt_version: str | None = None
    evidence: Sequence[Evidence] = ()


@dataclass(frozen=True, slots=True)
class Memory:
    """One memory in one state.

    Times are aware and in UTC. It is visible through `expiration_date` (UTC) and not after it.
    `version` counts its states from 1.
    """

    id: UUID
    project_id: str
    scope: Scope
    text: str
    metadata: JsonObject
    categories: Sequence[str]
    immutable: bool
    create_time: datetime
    update_time: datetime
    event_time: datetime
    expiration_date: date | None
    inferred: bool
    role: Role | None
    name: str | None
    version: int
    provenance: Provenance
    entities: Sequence[Entity] = ()
    relations: Sequence[Relation] = ()

    @property
    def etag(self) -> str:
        """Changes whenever the memory does."""
        return etag_of(self.id, self.version)


@dataclass(frozen=True, slots=True)
class ArmScore:
    """What one arm of a search thought of a hit: its place from 1, its score from 0 to 1."""

    arm: str
    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class ScoredMemory:
    """A hit of a search, with its score from 0 to 1 and the arms that found it."""

    memory: Memory
    score: float
    arms: Sequence[ArmScore] = ()

    @property
    def id(self) -> UUID:
        """Of the memory."""
        return self.memory.id

    @property
    def text(self) -> str:
        """What was found."""
        return self.memory.text


def etag_of(memory_id: UUID, version: int) -> str:
    """The etag of a memory's state."""
    return hashlib.sha256(f"{memory_id}:{version}".encode()).hexdigest()[:16]


def today(now: datetime) -> date:
    """The day that expiration dates are compared with: the one in UTC."""
    return now.astimezone(UTC).date()


def verbatim_digest(role: Role, name: str | None, text: str) -> bytes:
    """What makes two verbatim memories of a scope the same: speaker and text, to the letter.

    Letters are compared in NFC, so that a decomposed spelling equals a composed one.
    """
    return digest_of("verbatim", role, _composed(name or ""), _composed(text))


def fact_digest(text: str) -> bytes:
    """What makes two inferred memories of a scope the same: the text, but for case and spaces.

    Letters are compared in NFC. The compatibility forms would make 10⁵ equal to 105.
    """
    # Folding case can leave what NFC would compose, so that comes last too.
    folded = " ".join(_composed(_composed(text).casefold()).split())
    return digest_of("fact", folded.rstrip("."))


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


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
