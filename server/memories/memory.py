"""Memories, their history and provenance, and how they are embedded and compared."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

from server.core.text import composed, digest_of
from server.core.values import JsonObject, Vector
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
    """A verbatim quote of a stored message; "" means the whole message.

    `message_length` is the message's length in characters, or 0 if the memory is the message.
    """

    message_id: UUID
    quote: str
    message_length: int = 0


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of one state of a memory. `key_id` is the API key of the call, if known."""

    call_id: UUID
    request_id: UUID | None
    correlation_id: str
    embedding_model: str
    language_model: str | None = None
    prompt_version: str | None = None
    evidence: Sequence[Evidence] = ()
    key_id: str | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """One memory in one state.

    Times are aware and in UTC. `expiration_date` is the last day (in UTC) on which it is visible.
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
    """An arm's rating of a hit: its rank from 1, its score from 0 to 1."""

    arm: str
    rank: int
    score: float


def etag_of(memory_id: UUID, version: int) -> str:
    """Returns the etag of a memory's state."""
    return hashlib.sha256(f"{memory_id}:{version}".encode()).hexdigest()[:16]


def today(now: datetime) -> date:
    """Returns the current day in UTC, for comparison with expiration dates."""
    return now.astimezone(UTC).date()


def verbatim_digest(role: Role, name: str | None, text: str) -> bytes:
    """Returns a digest that is equal for verbatim memories with the same speaker and text.

    Text is compared in NFC, so that decomposed and composed spellings are equal.
    """
    return digest_of("verbatim", role, composed(name or ""), composed(text))


# Successive adds compare their facts with mostly the same candidates, several times.
@lru_cache(maxsize=8_192)
def fact_digest(text: str) -> bytes:
    """Returns a digest that is equal for facts that differ only in case and white space.

    A final full stop is ignored, too. Text is compared in NFC, because compatibility forms (NFKC)
    would make 10⁵ equal to 105.
    """
    # Case folding can produce text that is not in NFC, so NFC is applied again.
    folded = " ".join(composed(composed(text).casefold()).split())
    return digest_of("fact", folded.rstrip("."))


# Sorts before the ordinals of all events; deletions that make room for a call have -1.
FIRST_ORDINAL = -2
FIRST_ID = UUID(int=0)


@dataclass(frozen=True, slots=True)
class MemoryEvent:
    """One entry of a memory's history.

    `version` is the version that the event created; a deletion counts as a version. `before` is
    None for ADD and for the restoration of a deleted memory, `after` is None for DELETE. For an
    erased memory both are None, and `erased_scope` is its former scope.
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
        """The memory's scope; empty if it is not known."""
        state = self.after or self.before
        return state.scope if state else self.erased_scope or Scope()


@dataclass(frozen=True, slots=True)
class PastVersion:
    """A memory as it was at one version.

    `memory` is None if that version is a deletion. `embedding` belongs to its text, or is None if
    it was not kept. `last_version` is the newest version of the memory.
    """

    memory: Memory | None
    embedding: Vector | None
    last_version: int


class ListOrder(StrEnum):
    """The order of a list of memories."""

    NEWEST_FIRST = "create_time desc"
    OLDEST_FIRST = "create_time asc"


@dataclass(frozen=True, slots=True)
class ListCursor:
    """The last memory of a page."""

    create_time: datetime
    memory_id: UUID


@dataclass(frozen=True, slots=True, order=True)
class StreamCursor:
    """A place in the order of all events: of an event, or the start of a transaction."""

    transaction_id: int
    position: int = 0
    ordinal: int = FIRST_ORDINAL
    memory_id: UUID = FIRST_ID
    version: int = 0


def embedded_text(text: str, speaker: str | None) -> str:
    """Returns the text to embed: after the speaker's name, unless it contains that name.

    In a conversation of several people, questions name the speaker, but people rarely name
    themselves. The time is not embedded, because it would make all texts of a day more alike.
    Inferred memories have no speaker here, because they name their subject.
    """
    if not speaker or speaker.casefold() in text.casefold():
        return text
    return f"{speaker}: {text}"
