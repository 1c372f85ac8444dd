"""What the memory store is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from server.core.values import Vector
from server.graph.model import Relation
from server.memories.add.inference import Candidate, Category
from server.memories.add.proposals import Notice
from server.memories.filters.filter import Filter
from server.memories.memory import (
    EventType,
    ListCursor,
    ListOrder,
    Memory,
    MemoryEvent,
    StreamCursor,
)
from server.memories.passages import EVERY_SOURCE, Source
from server.memories.scope import Scope
from server.memories.search.ranking import DEFAULT_WEIGHTS, ArmWeights
from server.memories.search.time_spans import TimeSpan


@dataclass(frozen=True, slots=True)
class Committed:
    """The result of a commit: the added memories that the scope did not already hold.

    `position` grows with every call of a project; the outbox compares positions.
    """

    added: frozenset[UUID]
    position: int


@dataclass(frozen=True, slots=True)
class AddInputs:
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
    weights: ArmWeights = DEFAULT_WEIGHTS
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
