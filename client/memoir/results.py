"""The results of adds, searches, deletions and reads of projects: plain, immutable values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import overload

from memoir.graph import Relation
from memoir.memories import EventType, Memory
from memoir.v1 import memory_service_pb2, project_service_pb2
from memoir.values import optional_string, to_datetime


class OperationState(StrEnum):
    """The state of an asynchronous add."""

    UNSPECIFIED = "STATE_UNSPECIFIED"
    QUEUED = "STATE_QUEUED"
    RUNNING = "STATE_RUNNING"
    SUCCEEDED = "STATE_SUCCEEDED"
    FAILED = "STATE_FAILED"
    CANCELLED = "STATE_CANCELLED"


@dataclass(frozen=True, slots=True)
class Change:
    """A memory that an add changed; for DELETE, `text` is its last text."""

    id: str
    text: str
    event: EventType
    previous_text: str | None
    categories: tuple[str, ...]
    version: int

    @classmethod
    def from_proto(cls, message: memory_service_pb2.AddMemoriesResult) -> Change:
        """Returns the change in a message."""
        return cls(
            id=message.id,
            text=message.data.memory,
            event=EventType.from_proto(message.event),
            previous_text=optional_string(message, "previous_memory"),
            categories=tuple(message.categories),
            version=message.version,
        )


@dataclass(frozen=True, slots=True)
class RelationChange:
    """A relation that an add changed."""

    source: str
    relation: str
    target: str
    event: EventType


@dataclass(frozen=True, slots=True)
class Notice:
    """What an add left out, and why.

    `reason` is the name of a `NoticeReason` of the contract, or the number of one that this client
    does not know; `text` is a sentence for people.
    """

    reason: str
    text: str

    @classmethod
    def from_proto(cls, message: memory_service_pb2.Notice) -> Notice:
        """Returns the notice in a message."""
        known = memory_service_pb2.NoticeReason.DESCRIPTOR.values_by_number.get(message.reason)
        return cls(known.name if known else str(message.reason), message.text)


@dataclass(frozen=True, slots=True)
class AddResult(Sequence[Change]):
    """The changes of an add, in the order of the conversation; empty if there are none.

    Pass `consistency_token` to a read of the graph to see this write there. `notices` report what
    was left out.
    """

    changes: tuple[Change, ...]
    relations: tuple[RelationChange, ...]
    consistency_token: str
    language_model: str
    embedding_model: str
    notices: tuple[Notice, ...] = ()

    @classmethod
    def from_proto(cls, message: memory_service_pb2.AddMemoriesResponse) -> AddResult:
        """Returns the result in a message."""
        return cls(
            changes=tuple(Change.from_proto(result) for result in message.results),
            relations=tuple(
                RelationChange(r.source, r.relation, r.target, EventType.from_proto(r.event))
                for r in message.relations
            ),
            consistency_token=message.consistency_token,
            language_model=message.models_used.language_model,
            embedding_model=message.models_used.embedding_model,
            notices=tuple(map(Notice.from_proto, message.notices)),
        )

    def __len__(self) -> int:
        return len(self.changes)

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    @overload
    def __getitem__(self, index: int) -> Change: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Change, ...]: ...
    def __getitem__(self, index: int | slice) -> Change | tuple[Change, ...]:
        return self.changes[index]


@dataclass(frozen=True, slots=True)
class ArmScore:
    """An arm's rating of a hit: its rank from 1, and its score from 0 to 1."""

    arm: str
    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class DegradedArm:
    """An arm of a search that could not take part, and the reason."""

    arm: str
    reason: str


class Source(StrEnum):
    """What a search covers: memories, or passages, which became no memory."""

    MEMORIES = "SEARCH_SOURCE_MEMORIES"
    PASSAGES = "SEARCH_SOURCE_PASSAGES"


@dataclass(frozen=True, slots=True)
class Passage:
    """Sentences of a message that became no memory, verbatim."""

    message_id: str
    role: str
    name: str | None
    event_time: datetime
    text: str

    @classmethod
    def from_proto(cls, message: memory_service_pb2.Passage) -> Passage:
        """Returns the passage in a message."""
        return cls(
            message_id=message.message_id,
            role=message.role,
            name=optional_string(message, "name"),
            event_time=to_datetime(message.event_time),
            text=message.text,
        )


@dataclass(frozen=True, slots=True)
class Hit:
    """A memory or a passage that a search found, with its score from 0 to 1."""

    found: Memory | Passage
    score: float
    arms: tuple[ArmScore, ...]

    @property
    def text(self) -> str:
        """The text of the memory or passage."""
        return self.found.text

    @classmethod
    def from_proto(cls, message: memory_service_pb2.SearchMemoriesResult) -> Hit:
        """Returns the hit in a message."""
        return cls(
            found=(
                Passage.from_proto(message.passage)
                if message.WhichOneof("found") == "passage"
                else Memory.from_proto(message.memory)
            ),
            score=message.score,
            arms=tuple(ArmScore(arm.arm, arm.rank, arm.score) for arm in message.arms),
        )


@dataclass(frozen=True, slots=True)
class SearchResult(Sequence[Hit]):
    """The hits, best first; `degraded` names the arms that could not take part.

    If not all of the best `top_k` fit into one response, pass `next_page_token` as the option
    `page_token` to get the others.
    """

    hits: tuple[Hit, ...]
    relations: tuple[Relation, ...]
    degraded: tuple[DegradedArm, ...]
    next_page_token: str

    @classmethod
    def from_proto(cls, message: memory_service_pb2.SearchMemoriesResponse) -> SearchResult:
        """Returns the result in a message."""
        return cls(
            hits=tuple(Hit.from_proto(result) for result in message.results),
            relations=tuple(Relation.from_proto(relation) for relation in message.relations),
            degraded=tuple(DegradedArm(arm.arm, arm.reason) for arm in message.degraded),
            next_page_token=message.next_page_token,
        )

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Hit, ...]: ...
    def __getitem__(self, index: int | slice) -> Hit | tuple[Hit, ...]:
        return self.hits[index]


@dataclass(frozen=True, slots=True)
class BatchItem:
    """The outcome of an item of a batch: `error` is None if it succeeded.

    `memory` is the memory after an update.
    """

    id: str
    memory: Memory | None
    error: Exception | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """Counts of what a deletion removed."""

    memories: int
    messages: int
    events: int
    graph_memories: int
    redacted_messages: int = 0
    retained_messages: int = 0
    passages: int = 0

    @classmethod
    def from_proto(cls, message: memory_service_pb2.DeletionReceipt) -> Receipt:
        """Returns the receipt in a message."""
        return cls(
            memories=message.memories,
            messages=message.messages,
            events=message.events,
            graph_memories=message.graph_memories,
            passages=message.passages,
            redacted_messages=message.redacted_messages,
            retained_messages=message.retained_messages,
        )


@dataclass(frozen=True, slots=True)
class ScopeSummary:
    """One user, agent, app or run (`kind`), with its number of memories."""

    kind: str
    id: str
    memory_count: int
    last_activity_time: datetime

    @classmethod
    def from_proto(
        cls, message: memory_service_pb2.ListScopesResponse.ScopeSummary
    ) -> ScopeSummary:
        """Returns the summary in a message."""
        kind = memory_service_pb2.ScopeKind.Name(message.kind).removeprefix("SCOPE_KIND_").lower()
        return cls(kind, message.id, message.memory_count, to_datetime(message.last_activity_time))


@dataclass(frozen=True, slots=True)
class Project:
    """The settings of a project."""

    id: str
    org_id: str
    custom_instructions: str
    custom_categories: dict[str, str]
    default_retention_days: int
    keeps_passages: bool
    create_time: datetime
    update_time: datetime
    etag: str

    @classmethod
    def from_proto(cls, message: project_service_pb2.Project) -> Project:
        """Returns the project in a message."""
        return cls(
            id=message.id,
            org_id=message.org_id,
            custom_instructions=message.custom_instructions,
            custom_categories={c.name: c.description for c in message.custom_categories},
            default_retention_days=message.default_retention_days,
            keeps_passages=message.keeps_passages,
            create_time=to_datetime(message.create_time),
            update_time=to_datetime(message.update_time),
            etag=message.etag,
        )
