"""The port that stores memories, their history and the conversations that they came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from server.core.pages import ListCursor, ListOrder
from server.core.request_context import NOBODY, Origin
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
    """One call that changes memories, to which all of its effects can be traced back.

    `payload_digest` distinguishes two calls with one `request_id`. `item` is the place in a batch,
    from 1; 0 stands for a single call, or for the batch itself. The token counts are those of the
    language model, None if none was used. The call of an operation has the operation's id, and
    `operation_lease` is the id of its lease. `traceparent` is the call's position in its trace, to
    which later work on the graph links back. `notices` say what the call left out, `origin` who
    made it.
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
    origin: Origin = NOBODY


@dataclass(frozen=True, slots=True)
class EmbeddedMemory:
    """A memory to be stored.

    `ordinal` is its place among the call's changes. Memories with the same `digest` count as the
    same, and no scope ever holds two of them.
    """

    ordinal: int
    memory: Memory
    digest: bytes
    embedding: Vector


@dataclass(frozen=True, slots=True)
class MemoryUpdate:
    """The next state of a memory, based on its state at `version`.

    `metadata` is merged over the stored metadata; an `expiration_date` of None keeps the stored
    one.
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
    """A memory to be deleted, as it was when the deletion was decided.

    `ordinal` is its place among the call's changes.
    """

    ordinal: int
    memory_id: UUID
    version: int


@dataclass(frozen=True, slots=True)
class NewPassage:
    """What is left of a message of the call, to be stored along with the memories.

    `digest` is that of the message as it was sent: if the same message came before in the scope,
    only the sentences that were left both times stay. If `sentences` is empty, none of the message
    is kept, and none of it will be if it comes again.
    """

    passage_id: UUID
    message_id: UUID
    role: Role
    name: str | None
    digest: bytes
    sentences: Sequence[str]
    embedding: Vector


@dataclass(frozen=True, slots=True)
class NewPassages:
    """The passages of a call, and the values that they share with its memories."""

    passages: Sequence[NewPassage]
    metadata: JsonObject
    expiration_date: date | None


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Everything that one call changes; it takes effect as a whole or not at all.

    The added memories share what the call says about all of them: whether they are inferred and
    immutable, their metadata, event time and expiration date. `lease` is the id of the scope's
    lease under which the change was decided, if there was one. `passages` need such a lease.
    `forget_requests` are the verbatim requests to forget something: passages of the scope about the
    same thing are removed.
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
    """The result of a commit: the added memories that the scope did not already hold.

    `position` grows with every call of a project; it is what the outbox compares.
    """

    added: frozenset[UUID]
    position: int


@dataclass(frozen=True, slots=True)
class StoredChange:
    """One event of an earlier call; the `previous_` fields describe the state before it."""

    event: EventType
    memory: Memory
    previous_text: str | None
    previous_relations: Sequence[Relation] = ()


@dataclass(frozen=True, slots=True)
class StoredCall:
    """An earlier call, with its changes in the order of its outcome and what it left out."""

    id: UUID
    payload_digest: bytes
    position: int
    embedding_model: str
    language_model: str | None
    changes: Sequence[StoredChange]
    notices: Sequence[Notice] = ()


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A search for `vector` in one project and scope, best hits first, at most `limit`.

    `text` is the query in words, for the lexical arm; `weights` say how much each arm counts.
    `graph` are memories that the graph proposes, with scores from 0 to 1; those that meet all other
    conditions take part. `visible_on` hides memories that expired before that day; None shows all.
    `threshold` is the minimum score. `filters` must match too. `time` is the past instant to
    search; None means now. `sources` says what to search. Passages have no categories, so none
    matches if `categories` are given. `question_times` are the times that the question names:
    events close to them are preferred. With `explain`, each hit says which arms found it.
    With `latest_at`, memories are left out whose functional relations have all been superseded by
    then (`server.graph.project.supersession`, by the names that the memories use); it cannot be
    combined with `time`.
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
    explain: bool = True
    latest_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Which memories to list: of one project and scope, at most `limit`, after `after`.

    `filters` must match too. `with_entities` leaves out memories without entities and relations.
    """

    project_id: str
    scope: Scope
    limit: int
    order: ListOrder
    visible_on: date | None
    after: ListCursor | None = None
    filters: Filter | None = None
    with_entities: bool = False


class MemoryStore(Protocol):
    """The source of truth.

    Every method works within one project and raises StoreUnavailable if PostgreSQL cannot be
    reached or refuses work.
    """

    async def commit(self, changes: ChangeSet) -> Committed:
        """Stores a call with its effects, history and outbox rows, durably and in one transaction.

        An added memory whose digest the scope already holds is left out; if the holder has expired,
        it is deleted instead. The commit ends the lease, if there is one, and the operation that
        the call belongs to.

        Raises:
            RequestIdReused: the call's `request_id` is taken; nothing was stored.
            ConcurrentChange: an updated or deleted memory is no longer in the state that the change
                was based on, or an update would make it equal to another, or somebody else holds
                the lease of the scope or the operation by now; nothing was stored.
        """
        ...

    async def find_call(self, project_id: str, request_id: UUID) -> StoredCall | None:
        """Returns the earlier call with this `request_id`, if any."""
        ...

    async def get_call(self, project_id: str, call_id: UUID) -> StoredCall | None:
        """Returns the call with this id, if there is one."""
        ...

    async def find_candidates(
        self, project_id: str, scope: Scope, vectors: Sequence[Vector], limit: int, visible_on: date
    ) -> list[Candidate]:
        """Returns the memories of exactly this scope nearest to any of the vectors, best first.

        At most `limit` for each vector, and each memory once.
        """
        ...

    async def recent_messages(
        self, project_id: str, scope: Scope, limit: int
    ) -> list[StoredMessage]:
        """Returns the last messages of exactly this scope, oldest first."""
        ...

    async def search(self, query: SearchQuery) -> list[Hit]:
        """Returns the best hits, best first. All conditions apply before the limit."""
        ...

    async def get(self, project_id: str, memory_id: UUID, visible_on: date | None) -> Memory | None:
        """Returns the memory, if the project has it and it is visible."""
        ...

    async def list(self, query: ListQuery) -> list[Memory]:
        """Returns one page."""
        ...

    async def visible(
        self, project_id: str, memory_ids: Sequence[UUID], visible_on: date
    ) -> set[UUID]:
        """Returns the memories that exist and have not expired."""
        ...
