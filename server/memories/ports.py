"""The port that stores memories: what they say and relate, their past, and changes to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol
from uuid import UUID

from server.core.values import Vector
from server.graph.model import Relation
from server.graph.names import Split
from server.memories.add.inference import Candidate, Category
from server.memories.add.proposals import Notice
from server.memories.changes import Call, ChangeSet, Deletion, Replacement
from server.memories.conversation import Message
from server.memories.filters.filter import Filter
from server.memories.memory import (
    EventType,
    ListCursor,
    ListOrder,
    Memory,
    MemoryEvent,
    PastVersion,
    StreamCursor,
)
from server.memories.passages import EVERY_SOURCE, Hit, Source
from server.memories.scope import (
    DeletionReceipt,
    Scope,
    ScopeKind,
    ScopeSummary,
    StoredDeletion,
)
from server.memories.search.question_clues import Recollection
from server.memories.search.ranking import EVEN, ArmWeights
from server.memories.search.time_spans import TimeSpan
from server.operations.ports import ScopeLease


@dataclass(frozen=True, slots=True)
class Committed:
    """The result of a commit: the added memories that the scope did not already hold.

    `position` grows with every call of a project; the outbox compares positions.
    """

    added: frozenset[UUID]
    position: int


@dataclass(frozen=True, slots=True)
class AddBasis:
    """What an inferred add needs to know, as it was when the add took its lease.

    `instructions`, `categories` and `keeps_passages` are the settings of the project.
    """

    candidates: Sequence[Candidate] = ()
    instructions: str = ""
    categories: Sequence[Category] = ()
    keeps_passages: bool = True


@dataclass(frozen=True, slots=True)
class StoredChange:
    """An event of an earlier call; the `previous_` fields describe the state before it."""

    event: EventType
    memory: Memory
    previous_text: str | None
    previous_relations: Sequence[Relation] = ()


@dataclass(frozen=True, slots=True)
class StoredCall:
    """An earlier call, with its changes in the order of its outcome and its notices."""

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

    `text` is the query in words, for the lexical arm. `meanings` are words of it, each followed by
    English words of related meaning, which count instead of a word that the scope lacks. `weights`
    are the weights of the arms. `graph` are memories that the graph proposes, with scores from 0 to
    1; they take part if they meet all other conditions. `visible_on` hides memories that expired
    before that day; None shows all. `threshold` is the minimum score. `filters` must match too.
    `time` is the past instant to search; None means now. `sources` are the kinds of content to
    search. Passages have no categories, so `categories` excludes them. `question_times` are the
    times in the question: events close to them are preferred. With `explain`, each hit has the
    scores of the arms that found it. `latest_at` leaves out memories whose functional relations
    have all been superseded by then (`server.graph.project.supersession`, by the names that the
    memories use); it cannot be combined with `time`.
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
    meanings: Sequence[str] = ()
    weights: ArmWeights = EVEN
    graph: Mapping[UUID, float] = field(default_factory=dict)
    time: datetime | None = None
    sources: frozenset[Source] = EVERY_SOURCE
    question_times: Sequence[TimeSpan] = ()
    explain: bool = True
    latest_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The memories to list: of one project and scope, at most `limit`, after `after`.

    `filters` must match too. `with_entities` leaves out memories without entities and relations.
    `time` is the past instant to list; None means now.
    """

    project_id: str
    scope: Scope
    limit: int
    order: ListOrder
    visible_on: date | None
    after: ListCursor | None = None
    filters: Filter | None = None
    with_entities: bool = False
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class RecallQuery:
    """The keys of names to follow, in the memories that are visible in a scope at an instant.

    `with_relations` also returns the relations of the entities themselves.
    """

    project_id: str
    scope: Scope
    names: Sequence[str]
    at: datetime
    with_relations: bool = False


@dataclass(frozen=True, slots=True)
class AliasCount:
    """The number of memories in a graph space that state `alias` as another name of `name`."""

    space: str
    name: str
    alias: str
    memories: int


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class StreamedEvent:
    """An event, and the cursor after it. Streams that send it share one object."""

    event: MemoryEvent
    cursor: StreamCursor


@dataclass(frozen=True, slots=True)
class StreamPage:
    """The next events, and the cursor to continue from.

    `is_last` is whether there are no more events for now; `is_held_back` is whether more events
    become readable when the currently open transactions end.
    """

    events: Sequence[StreamedEvent]
    cursor: StreamCursor
    is_last: bool
    is_held_back: bool


class MemoryStore(Protocol):
    """The source of truth.

    Every method but `purge` and `stream_end` works within one project. Every method raises
    StoreUnavailable if PostgreSQL cannot be reached or refuses work. Each change, its call, its
    history and its outbox rows are one transaction.
    """

    async def commit(self, changes: ChangeSet) -> Committed:
        """Stores a call with its effects, history and outbox rows, durably and in one transaction.

        An added memory whose digest the scope already holds is left out, unless the memory that
        holds it has expired: then the expired memory is deleted. The commit ends the lease and the
        operation of the call, if there are any.

        Raises:
            RequestIdReused: the call's `request_id` is taken; nothing was stored.
            ConcurrentChange: an updated or deleted memory has changed since it was read, an update
                would make it equal to another memory, or the lease of the scope or the operation
                has been taken over; nothing was stored.
        """
        ...

    async def find_call(
        self, project_id: str, request_id: UUID, item: int = 0
    ) -> StoredCall | None:
        """Returns the earlier call, or batch item, with this `request_id`, if any."""
        ...

    async def get_call(self, project_id: str, call_id: UUID) -> StoredCall | None:
        """Returns the call with this id, if there is one."""
        ...

    async def begin_add(
        self,
        lease: ScopeLease,
        duration: timedelta,
        vectors: Sequence[Vector],
        limit: int,
        visible_on: date,
    ) -> AddBasis | None:
        """Takes the lease of a scope, as `Leases.acquire`, and reads what the add needs to know.

        The candidates are the memories of exactly this scope that are nearest to any of the
        vectors, at most `limit` for each vector, each memory once, and the nearest first. Returns
        None if another holder has the lease.
        """
        ...

    async def recent_messages(self, project_id: str, scope: Scope, limit: int) -> list[Message]:
        """Returns the last messages of exactly this scope, oldest first."""
        ...

    async def search(self, query: SearchQuery) -> list[Hit]:
        """Returns the best hits, best first. All conditions apply before the limit."""
        ...

    async def get(
        self,
        project_id: str,
        memory_id: UUID,
        visible_on: date | None,
        time: datetime | None = None,
    ) -> Memory | None:
        """Returns the memory if it is visible, or if it was at the past instant `time`."""
        ...

    async def list(self, query: ListQuery) -> list[Memory]:
        """Returns one page."""
        ...

    async def visible(
        self, project_id: str, memory_ids: Sequence[UUID], visible_on: date
    ) -> set[UUID]:
        """Returns the memories that exist and have not expired."""
        ...

    async def recall(self, query: RecallQuery) -> Recollection:
        """Returns everything within two relations of the entities with these names.

        Relations, aliases and counts come only from memories of the scope. Superseded relations are
        not followed.

        Raises:
            ValueError: the scope is empty.
        """
        ...

    async def stated_aliases(
        self, project_id: str, space: str | None = None
    ) -> Sequence[AliasCount]:
        """Returns the aliases that memories of one or all graph spaces state, except split ones."""
        ...

    async def splits(
        self, project_id: str, spaces: Sequence[str] | None, at: datetime
    ) -> Sequence[Split]:
        """Returns the current splits made up to `at`; `spaces` None means all spaces.

        Operators overrule aliases with splits. A split that was undone counts as never made.
        """
        ...

    async def split(self, project_id: str, split: Split) -> int:
        """Stores a split; returns the number of memories that are projected again for it.

        Repeating it projects them again and changes nothing else.
        """
        ...

    async def rejoin(self, project_id: str, split: Split) -> bool:
        """Undoes a split and updates the graph. Returns whether there was one."""
        ...

    async def replace(self, call: Call, change: Replacement) -> int:
        """Stores the next state of a memory and returns the position of the change.

        An expired memory that is equal to it is deleted to make room.

        Raises:
            RequestIdReused: the call's `request_id` and `item` are taken.
            ConcurrentChange: the memory has a newer version, or is immutable.
            MemoryDuplicate: another memory of the scope is equal to it.
        """
        ...

    async def delete(self, call: Call, deletion: Deletion) -> StoredDeletion:
        """Deletes a memory; its history stays.

        Raises:
            RequestIdReused: the call's `request_id` and `item` are taken.
            ConcurrentChange: the memory has changed since it was read.
        """
        ...

    async def erase(self, call: Call, deletion: Deletion) -> StoredDeletion:
        """Deletes a memory together with its history, even if it was already deleted.

        Raises:
            RequestIdReused: the call's `request_id` and `item` are taken.
            ConcurrentChange: the memory has changed since it was read.
        """
        ...

    async def find_deletion(
        self, project_id: str, request_id: UUID, item: int = 0
    ) -> StoredDeletion | None:
        """Returns the receipt of an earlier deletion, or batch item, with this `request_id`.

        For calls of other methods, the receipt is empty.
        """
        ...

    async def claim_batch(self, batch: Call) -> frozenset[int]:
        """Takes the batch's `request_id`, and returns the numbers of items that are already done.

        Raises:
            RequestIdReused: the id was used before with another payload.
        """
        ...

    async def list_scopes(
        self, project_id: str, kind: ScopeKind, after_id: str, limit: int, visible_on: date
    ) -> Sequence[ScopeSummary]:
        """Returns scopes of this kind that have memories, by id, after `after_id` ("" for all)."""
        ...

    async def delete_memories(
        self,
        call: Call,
        filters: Filter | None = None,
        *,
        erase: bool = False,
        validate_only: bool = False,
    ) -> StoredDeletion:
        """Deletes every memory that matches the call's scope and the filters, also from the graph.

        The memories' history and source messages stay, unless `erase` is true. With `validate_only`
        nothing is deleted or recorded, and the receipt counts what would be deleted.

        Raises:
            ValueError: the scope is empty and there are no filters.
            RequestIdReused: the call's `request_id` is taken; nothing was deleted.
            ConcurrentChange: other calls changed the same memories; nothing was deleted.
        """
        ...

    async def erase_scope(
        self, call: Call, kind: ScopeKind, scope_id: str
    ) -> StoredDeletion | None:
        """Deletes everything stored about a user, agent, app or run; None if there is nothing.

        The graph is updated through the outbox. The call itself is kept, without naming the scope.

        Raises:
            RequestIdReused: the call's `request_id` is taken; nothing was deleted.
            ConcurrentChange: other calls changed the same memories; nothing was deleted.
        """
        ...

    async def purge(
        self, expired_before: date, limit: int, call_of: Callable[[str], Call]
    ) -> DeletionReceipt | None:
        """Erases up to `limit` memories of one project whose last day was before this date.

        This covers deleted memories too. Returns None if no memories are due in any project.
        `call_of` creates the call for the project that was found. Several servers may call it at
        once: one of them does the work, the others find nothing to do. A memory that another call
        is changing is left for the next time.

        Raises:
            ConcurrentChange: other calls changed the same memories; nothing was erased.
        """
        ...

    async def events(
        self, project_id: str, memory_id: UUID, after_version: int, limit: int
    ) -> Sequence[MemoryEvent]:
        """Returns the events after the version `after_version` (0 for all), oldest first."""
        ...

    async def version(
        self, project_id: str, memory_id: UUID, version: int | None = None
    ) -> PastVersion | None:
        """Returns the memory at one version, if its history has that version.

        Without a version, returns the last version that is not a deletion.
        """
        ...

    async def stream_end(self) -> StreamCursor:
        """Returns the cursor after all committed events that have no open transaction before them.

        The events of a project have a fixed order: no event appears before one that was read.
        """
        ...

    async def stream(
        self, project_id: str, scope: Scope, after: StreamCursor, limit: int
    ) -> StreamPage:
        """Returns up to `limit` events after a cursor, of the scope or, if empty, the project."""
        ...
