"""The port that stores memories, the conversations that they came from, and what they relate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol
from uuid import UUID

from server.core.values import Vector
from server.graph.model import Relation
from server.graph.names import Split
from server.memories.add.inference import Candidate, Category
from server.memories.add.proposals import Notice
from server.memories.changes import ChangeSet
from server.memories.conversation import StoredMessage
from server.memories.filters.filter import Filter
from server.memories.memory import EventType, ListCursor, ListOrder, Memory
from server.memories.passages import EVERY_SOURCE, Hit, Source
from server.memories.scope import Scope
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
    """What an add with inference is decided on, as it was when the add took its lease.

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
    """

    project_id: str
    scope: Scope
    limit: int
    order: ListOrder
    visible_on: date | None
    after: ListCursor | None = None
    filters: Filter | None = None
    with_entities: bool = False


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


class MemoryStore(Protocol):
    """The source of truth.

    Every method works within one project and raises StoreUnavailable if PostgreSQL cannot be
    reached or refuses work.
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

    async def find_call(self, project_id: str, request_id: UUID) -> StoredCall | None:
        """Returns the earlier call with this `request_id`, if any."""
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
        """Takes the lease of a scope, as `Leases.acquire`, and reads what the add is decided on.

        The candidates are the memories of exactly this scope that are nearest to any of the
        vectors, at most `limit` for each vector, each memory once, and the nearest first. Returns
        None if another holder has the lease.
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
        """Returns the memory if the project has it and it is visible."""
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
