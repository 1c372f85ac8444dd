"""What a call changes: decided once, and passed on as it is until a statement stores it."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeAlias
from uuid import UUID

from server.core.request_context import NOBODY, Origin
from server.core.values import JsonObject, Vector
from server.graph.model import Entity, Relation
from server.memories.add.proposals import Notice
from server.memories.conversation import Role, StoredMessage
from server.memories.memory import Evidence, Memory
from server.memories.scope import Scope


@dataclass(frozen=True, slots=True)
class Call:
    """A call that changes memories, to which all of its effects can be traced back.

    `payload_digest` distinguishes different calls with one `request_id`. `item` is the place in a
    batch, from 1; 0 means a single call, or the batch itself. The token counts belong to the
    language model, None if none was used. The call of an operation has the operation's id, and
    `operation_lease` is the id of its lease. `traceparent` is the call's place in its trace, to
    which later work on the graph links back. `notices` report what the call left out, `origin` who
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """What a memory says from now on, and what supports it.

    Memories with the same `digest` are duplicates, and no scope ever holds two of them. `role` and
    `name` are those of the speaker. `embedding` belongs to the text; it is empty until the text has
    been embedded.
    """

    memory_id: UUID
    text: str
    digest: bytes
    role: Role | None
    name: str | None
    evidence: Sequence[Evidence]
    categories: Sequence[str] = ()
    entities: Sequence[Entity] = ()
    relations: Sequence[Relation] = ()
    embedding: Vector = field(default_factory=lambda: array("f"), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition(_Content):
    """A new memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update(_Content):
    """New content of a memory, decided on its state at `version`."""

    version: int


@dataclass(frozen=True, slots=True)
class Deletion:
    """The end of a memory, decided on its state at `version`."""

    memory_id: UUID
    version: int


Change: TypeAlias = Addition | Update | Deletion
"""A change that is stored with others in a change set."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """The complete next state of a memory, set by hand; its version is one above the newest.

    An `embedding` of None keeps the stored embedding. If the state is an earlier one, `restores` is
    its version, and the memory may have been deleted since.
    """

    memory: Memory
    embedding: Vector | None = None
    restores: int | None = None


@dataclass(frozen=True, slots=True)
class NewPassage:
    """The sentences of a message that became no memory, to be stored with the memories.

    `digest` belongs to the message as it was sent: if the scope got the same message before, only
    the sentences that were left over both times stay. If `sentences` is empty, nothing of the
    message is kept now or when it is sent again.
    """

    passage_id: UUID
    message_id: UUID
    role: Role
    name: str | None
    digest: bytes
    sentences: Sequence[str]
    embedding: Vector


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Everything that one call changes, in order; it takes effect as a whole or not at all.

    `lease` is the id of the scope's lease under which the changes were decided, if there was one.
    `passages` need such a lease. `forget_requests` are the verbatim requests to forget something:
    matching passages of the scope are removed.

    The other values are shared by the new memories, updates and passages. `event_time` None means
    the time of the call. The `metadata` of an update is merged over the stored metadata, and an
    `expiration_date` of None keeps the stored date.
    """

    call: Call
    messages: Sequence[StoredMessage] = ()
    changes: Sequence[Change] = ()
    lease: UUID | None = None
    passages: Sequence[NewPassage] = ()
    forget_requests: Sequence[str] = ()
    metadata: JsonObject = field(default_factory=dict)
    event_time: datetime | None = None
    expiration_date: date | None = None
    inferred: bool = True
    immutable: bool = False

    @property
    def added(self) -> list[Addition]:
        """The new memories."""
        return [change for change in self.changes if isinstance(change, Addition)]

    @property
    def updated(self) -> list[Update]:
        """The updates."""
        return [change for change in self.changes if isinstance(change, Update)]

    @property
    def deleted(self) -> list[Deletion]:
        """The deletions."""
        return [change for change in self.changes if isinstance(change, Deletion)]

    @property
    def affects_graph(self) -> bool:
        """Whether the graph may have to change: not if only memories without entities are new."""
        return any(
            not isinstance(change, Addition) or change.entities or change.relations
            for change in self.changes
        )
