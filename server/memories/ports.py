"""Keeping memories, their history and the conversations that they came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from server.core.pages import ListCursor, ListOrder
from server.core.values import JsonObject, Vector
from server.graph.model import Entity, Relation
from server.memories.add.inference import Candidate
from server.memories.add.proposals import Notice
from server.memories.conversation import Role, StoredMessage
from server.memories.filters.filter import Filter
from server.memories.memory import EventType, Evidence, Memory
from server.memories.passages import EVERY_SOURCE, Hit, Source
from server.memories.scope import Scope
from server.memories.search.ranking import EVEN, ArmWeights
from server.memories.search.time_spans import TimeSpan


@dataclass(frozen=True, slots=True)
class Call:
    """One call that changes memories: what every trace of its effects leads back to.

    `payload_digest` tells two calls with one `request_id` apart. `item` is the place in a batch,
    from 1; 0 is a call of its own, or the batch itself. The tokens are those
    of the language model, None where none took part. The call of an operation has the operation's
    id, and `operation_lease` is the holder of its lease. `traceparent` is the call's place in its
    trace, which what the graph does later links back to. `notices` are what it left out.
    """

    id: UUID
    project_id: str
    scope: Scope
    method: str
    time: datetime
    correlation_id: str
    embedding_model: str
    language_model: str | None = None
    prompt_version: str | None = None
    request_id: UUID | None = None
    payload_digest: bytes = b""
    item: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    operation_lease: UUID | None = None
    traceparent: str | None = None
    notices: Sequence[Notice] = ()


@dataclass(frozen=True, slots=True)
class EmbeddedMemory:
    """A memory as it is to be stored.

    `ordinal` is its place among the call's changes. `digest` is what makes two memories of a scope
    the same: no scope ever holds two of one digest.
    """

    ordinal: int
    memory: Memory
    digest: bytes
    embedding: Vector


@dataclass(frozen=True, slots=True)
class MemoryUpdate:
    """The next state of a memory, decided on when it was at `version`.

    `metadata` is merged over what is stored; an `expiration_date` of None leaves the stored one.
    """

    ordinal: int
    memory_id: UUID
    version: int
    text: str
    digest: bytes
    embedding: Vector
    metadata: JsonObject
    categories: Sequence[str]
    entities: Sequence[Entity]
    relations: Sequence[Relation]
    evidence: Sequence[Evidence]
    event_time: datetime
    expiration_date: date | None
    role: Role | None
    name: str | None


@dataclass(frozen=True, slots=True)
class MemoryDeletion:
    """A memory to be deleted, as it was when that was decided.

    `ordinal` is its place among the call's changes.
    """

    ordinal: int
    memory_id: UUID
    version: int


@dataclass(frozen=True, slots=True)
class NewPassage:
    """What is left of a message of the call, to be kept beside the memories.

    `ordinal` is the place of the message among the call's. `digest` stands for the message as it
    was sent: where it came before in the scope, only sentences stay that were left both times.
    `sentences` may be empty, which keeps all of the message out from then on.
    """

    ordinal: int
    passage_id: UUID
    message_id: UUID
    role: Role
    name: str | None
    digest: bytes
    sentences: Sequence[str]
    embedding: Vector


@dataclass(frozen=True, slots=True)
class NewPassages:
    """The passages of a call, and what they share with its memories."""

    passages: Sequence[NewPassage]
    metadata: JsonObject
    expiration_date: date | None


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Everything that one call changes; it takes effect wholly or not at all.

    The added memories share what a call says of all of them: whether they are inferred and
    immutable, their metadata, event time and expiration date. `lease` is the holder of the scope's
    lease under which the change was decided, if that took one. `passages` need such a lease.
    `forget_requests` are what asks to forget something, word for word: what tells of the same
    leaves the passages of the scope.
    """

    call: Call
    messages: Sequence[StoredMessage] = ()
    added: Sequence[EmbeddedMemory] = ()
    updated: Sequence[MemoryUpdate] = ()
    deleted: Sequence[MemoryDeletion] = ()
    lease: UUID | None = None
    passages: NewPassages | None = None
    forget_requests: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Committed:
    """What a change set led to: the added memories that the scope did not hold already.

    `position` grows with every call of a project; the outbox is asked with it.
    """

    added: frozenset[UUID]
    position: int


@dataclass(frozen=True, slots=True)
class StoredChange:
    """One event of an earlier call; the `previous_` ones are of the state before."""

    event: EventType
    memory: Memory
    previous_text: str | None
    previous_relations: Sequence[Relation] = ()


@dataclass(frozen=True, slots=True)
class StoredCall:
    """An earlier call, what it changed, in the order in which it said so, and what it left out."""

    id: UUID
    payload_digest: bytes
    position: int
    embedding_model: str
    language_model: str | None
    changes: Sequence[StoredChange]
    notices: Sequence[Notice] = ()


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What to search: `vector` against one project and scope, best first, at most `limit`.

    `text` is the question in words, for the arm that compares words; `weights` say how much each
    arm counts. `graph` are memories that the graph proposes with their scores from 0 to 1: those
    among them that match everything else take part. `visible_on` hides what has expired before that
    day; None shows all. `threshold` bounds the score from below. `filters` must match too. `time`
    is the past instant whose memories are searched; None means now. `sources` are what to search.
    Passages have no categories, so that none of them has one of `categories`. `question_times` are
    the times that the question names: events close to them are preferred.
    """

    project_id: str
    scope: Scope
    vector: Vector
    limit: int
    visible_on: date | None
    categories: Sequence[str] = ()
    threshold: float | None = None
    filters: Filter | None = None
    text: str = ""
    weights: ArmWeights = EVEN
    graph: Mapping[UUID, float] = field(default_factory=dict)
    time: datetime | None = None
    sources: frozenset[Source] = EVERY_SOURCE
    question_times: Sequence[TimeSpan] = ()


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Which memories to list: of one project and scope, at most `limit`, after `after`.

    `filters` must match too.
    """

    project_id: str
    scope: Scope
    limit: int
    order: ListOrder
    visible_on: date | None
    after: ListCursor | None = None
    filters: Filter | None = None


class MemoryStore(Protocol):
    """The source of truth.

    Every method works within one project and raises StoreUnavailable where PostgreSQL cannot be
    reached or refuses work.
    """

    async def commit(self, changes: ChangeSet) -> Committed:
        """Stores a call with its effects, history and outbox rows, durably and in one transaction.

        An added memory whose digest the scope holds already is left out; an expired holder of the
        digest makes way. The lease, if there is one, ends with it; so does the operation whose call
        it is.

        Raises:
            RequestIdReused: the call's `request_id` is taken; nothing was stored.
            ConcurrentChange: an updated or removed memory is not in the state that the change was
                decided on, or an update would make it equal to another, or the lease of the scope
                or the operation is another's by now; nothing was stored.
        """
        ...

    async def find_call(self, project_id: str, request_id: UUID) -> StoredCall | None:
        """The call that came with `request_id` before, if any."""
        ...

    async def get_call(self, project_id: str, call_id: UUID) -> StoredCall | None:
        """The call with this id, if there is one."""
        ...

    async def find_candidates(
        self, project_id: str, scope: Scope, vectors: Sequence[Vector], limit: int, visible_on: date
    ) -> list[Candidate]:
        """Memories of exactly this scope that are nearest to any of the vectors, best first.

        At most `limit` for each vector and each memory once.
        """
        ...

    async def recent_messages(
        self, project_id: str, scope: Scope, limit: int
    ) -> list[StoredMessage]:
        """The last messages of exactly this scope, oldest first."""
        ...

    async def search(self, query: SearchQuery) -> list[Hit]:
        """The best hits, best first. Scope, expiry and categories apply before the limit."""
        ...

    async def get(self, project_id: str, memory_id: UUID, visible_on: date | None) -> Memory | None:
        """The memory, if the project has it and it is visible."""
        ...

    async def list(self, query: ListQuery) -> list[Memory]:
        """One page."""
        ...

    async def visible(
        self, project_id: str, memory_ids: Sequence[UUID], visible_on: date
    ) -> set[UUID]:
        """The memories that exist and have not expired."""
        ...
