"""Adding memories: verbatim or inferred, once per request id."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from server.application.once import RequestKey
from server.domain.conversation import Message
from server.domain.errors import RequestIdReused
from server.domain.graph import Relation
from server.domain.inference import Category
from server.domain.memory import EventType
from server.domain.notices import Notice
from server.domain.operation import OperationLease
from server.domain.relation_changes import changed_relations
from server.domain.scope import Scope
from server.domain.values import JsonObject
from server.ports.memory_store import MemoryStore, StoredCall

METHOD = "AddMemories"


@dataclass(frozen=True, slots=True)
class AddMemoriesCommand:
    """What to remember, of whom, and how. `event_time` None means now.

    `operation` is the lease of the operation whose work this is, if it is one's.
    """

    project_id: str
    scope: Scope
    messages: Sequence[Message]
    metadata: JsonObject
    infer: bool = True
    immutable: bool = False
    event_time: datetime | None = None
    expiration_date: date | None = None
    with_context: bool = False
    includes: str | None = None
    excludes: str | None = None
    categories: Sequence[Category] = ()
    instructions: str | None = None
    request_id: UUID | None = None
    payload_digest: bytes = b""
    operation: OperationLease | None = None

    @property
    def key(self) -> RequestKey | None:
        """The client's id of the intent, if it gave one."""
        return RequestKey(self.request_id, self.payload_digest) if self.request_id else None


@dataclass(frozen=True, slots=True)
class AddedChange:
    """One memory that the call changed. `text` is what is, or for DELETE was, remembered."""

    memory_id: UUID
    event: EventType
    text: str
    previous_text: str | None
    categories: Sequence[str]
    version: int


@dataclass(frozen=True, slots=True)
class AddedRelation:
    """One relation that the call changed."""

    relation: Relation
    event: EventType


@dataclass(frozen=True, slots=True)
class AddMemoriesOutcome:
    """What the call `call_id` changed, and what it left out.

    `position` is what a consistency token is made of.
    """

    call_id: UUID
    changes: Sequence[AddedChange]
    relations: Sequence[AddedRelation]
    position: int
    embedding_model: str
    language_model: str | None
    notices: Sequence[Notice] = ()


class Remember(Protocol):
    """One way to turn a command into stored memories."""

    async def __call__(self, command: AddMemoriesCommand) -> AddMemoriesOutcome:
        """Stores, durably, and answers what has changed."""
        ...


async def _nothing_accepted(_project_id: str, _request_id: UUID) -> bytes | None:
    return None


class AddMemories:
    """Dispatches to the way of remembering that the command asks for.

    `accepted` answers the digest of the asynchronous call that came with a request id, if one did.
    """

    def __init__(
        self,
        store: MemoryStore,
        verbatim: Remember,
        inferred: Remember,
        accepted: Callable[[str, UUID], Awaitable[bytes | None]] = _nothing_accepted,
    ) -> None:
        self._store = store
        self._verbatim = verbatim
        self._inferred = inferred
        self._accepted = accepted

    async def __call__(self, command: AddMemoriesCommand) -> AddMemoriesOutcome:
        """Remembers.

        With a `request_id` that came before, the stored outcome is answered and nothing is done.

        Raises:
            RequestIdReused: the request id came before with another payload.
            ExtractionFailed, AnswerTooLarge, ModelUnavailable, ModelQuotaExhausted,
            StoreUnavailable, ConcurrentChange: nothing was stored.
        """
        earlier = await self._earlier(command)
        if earlier is not None:
            return earlier
        remember = self._inferred if command.infer else self._verbatim
        try:
            return await remember(command)
        except RequestIdReused:
            # The same call came twice at once and the other one was faster.
            earlier = await self._earlier(command)
            if earlier is None:
                raise
            return earlier

    async def _earlier(self, command: AddMemoriesCommand) -> AddMemoriesOutcome | None:
        if command.request_id is None:
            return None
        call = await self._store.find_call(command.project_id, command.request_id)
        if call is None:
            # One that waits for its turn has taken the id, too.
            digest = await self._accepted(command.project_id, command.request_id)
            if digest not in {None, command.payload_digest}:
                raise RequestIdReused(command.request_id)
            return None
        if call.payload_digest != command.payload_digest:
            raise RequestIdReused(command.request_id)
        return outcome_of(call)


def outcome_of(call: StoredCall) -> AddMemoriesOutcome:
    """What an earlier call answered, read back from its history."""
    changes = [
        AddedChange(
            memory_id=change.memory.id,
            event=change.event,
            text=change.memory.text,
            previous_text=change.previous_text if change.event is EventType.UPDATE else None,
            categories=() if change.event is EventType.DELETE else change.memory.categories,
            version=change.memory.version + (change.event is EventType.DELETE),
        )
        for change in call.changes
    ]
    relations = [
        AddedRelation(changed.relation, changed.event)
        for change in call.changes
        for changed in changed_relations(
            change.previous_relations if change.event is not EventType.ADD else (),
            change.memory.relations if change.event is not EventType.DELETE else (),
        )
    ]
    return AddMemoriesOutcome(
        call_id=call.id,
        changes=changes,
        relations=relations,
        position=call.position,
        embedding_model=call.embedding_model,
        language_model=call.language_model,
        notices=call.notices,
    )
