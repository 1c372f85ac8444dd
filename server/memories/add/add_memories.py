"""Adds memories, verbatim or inferred, with one effect for each request id."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID

from server.core.errors import AnswerTooLarge
from server.core.values import MAX_ITEMS_BYTES, JsonObject, utf8_bytes
from server.graph.model import Relation
from server.graph.project.supersession import changed_relations
from server.memories.add.inference import Category
from server.memories.add.proposals import Notice
from server.memories.conversation import Message, Role, with_content
from server.memories.memory import EventType
from server.memories.ports import MemoryStore
from server.memories.queries import StoredCall, StoredChange
from server.memories.scope import Scope
from server.operations.idempotency import RequestKey, once
from server.operations.operation import OperationLease

ADD_MEMORIES = "AddMemories"


@dataclass(frozen=True, slots=True)
class AddMemoriesCommand:
    """The messages to add memories from, their scope, and how. `event_time` None means now.

    `operation` is the lease of the asynchronous operation that runs this command, if any.
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
        """The client's id of the call, if it gave one."""
        return RequestKey(self.request_id, self.payload_digest) if self.request_id else None


@dataclass(frozen=True, slots=True)
class AddedChange:
    """A memory that the call changed. `text` is its new text, or for DELETE its last text."""

    memory_id: UUID
    event: EventType
    text: str
    previous_text: str | None
    categories: Sequence[str]
    version: int


@dataclass(frozen=True, slots=True)
class AddedRelation:
    """A relation that the call changed."""

    relation: Relation
    event: EventType


@dataclass(frozen=True, slots=True)
class AddMemoriesOutcome:
    """The changes of the call `call_id`, and the notices of what it left out.

    `position` becomes the consistency token.
    """

    call_id: UUID
    changes: Sequence[AddedChange]
    relations: Sequence[AddedRelation]
    position: int
    embedding_model: str
    language_model: str | None
    notices: Sequence[Notice] = ()


Add: TypeAlias = Callable[[AddMemoriesCommand], Coroutine[Any, Any, AddMemoriesOutcome]]
"""A way to add memories: it stores them durably and returns the changes."""


async def _no_accepted_call(_project_id: str, _request_id: UUID) -> bytes | None:
    return None


class AddMemories:
    """Adds memories verbatim or by inference, depending on the command.

    `accepted` returns the payload digest of the asynchronous call with a request id, if any.
    """

    def __init__(
        self,
        store: MemoryStore,
        verbatim: Add,
        inferred: Add,
        accepted: Callable[[str, UUID], Awaitable[bytes | None]] = _no_accepted_call,
    ) -> None:
        self._store = store
        self._verbatim = verbatim
        self._inferred = inferred
        self._accepted = accepted

    def __call__(self, command: AddMemoriesCommand) -> Coroutine[Any, Any, AddMemoriesOutcome]:
        """Adds the memories.

        If the `request_id` was used before, it only returns the stored outcome.

        Raises:
            RequestIdReused: the request id was used before with another payload.
            ExtractionFailed, AnswerTooLarge, ModelUnavailable, ModelQuotaExhausted,
            StoreUnavailable, ConcurrentChange: nothing was stored.
        """
        add = self._inferred if command.infer else self._verbatim
        earlier = partial(self._earlier, command.project_id)
        return once(command.key, earlier, partial(add, command))

    async def _earlier(self, project_id: str, key: RequestKey) -> AddMemoriesOutcome | None:
        call = await self._store.find_call(project_id, key.id)
        if call is not None:
            key.require_same(call.payload_digest)
            return stored_outcome(call)
        # The id may belong to an asynchronous call that was accepted and is not done yet.
        digest = await self._accepted(project_id, key.id)
        if digest is not None:
            key.require_same(digest)
        return None


def stored_outcome(call: StoredCall) -> AddMemoriesOutcome:
    """Returns the outcome of an earlier call, read back from its history."""
    changes = [_stored_change(change) for change in call.changes]
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


def _stored_change(change: StoredChange) -> AddedChange:
    memory = change.memory
    # The history has the state before a deletion, which is a version of its own.
    is_deletion = change.event is EventType.DELETE
    return AddedChange(
        memory_id=memory.id,
        event=change.event,
        text=memory.text,
        previous_text=change.previous_text if change.event is EventType.UPDATE else None,
        categories=() if is_deletion else memory.categories,
        version=memory.version + 1 if is_deletion else memory.version,
    )


# An upper bound on the bytes that go with each text: ids, enums, numbers, tags and lengths.
_BYTES_BESIDE_TEXT = 128
_MOST_BYTES_PER_CHARACTER = 4


def require_fitting_verbatim_response(command: AddMemoriesCommand) -> None:
    """Checks that all messages of the add would fit into a response verbatim.

    Raises:
        AnswerTooLarge: they would not.
    """
    messages = (m for m in with_content(command.messages) if m.role is not Role.SYSTEM)
    _require_room([message.content or "" for message in messages])


def require_fitting_response(outcome: AddMemoriesOutcome) -> None:
    """Checks that every client can receive the outcome.

    Raises:
        AnswerTooLarge: it is too large.
    """
    _require_room(list(_texts(outcome)))


def _require_room(texts: Sequence[str]) -> None:
    overhead = _BYTES_BESIDE_TEXT * len(texts)
    if overhead + _MOST_BYTES_PER_CHARACTER * sum(map(len, texts)) <= MAX_ITEMS_BYTES:
        return
    size = overhead + sum(map(utf8_bytes, texts))
    if size > MAX_ITEMS_BYTES:
        raise AnswerTooLarge(size, MAX_ITEMS_BYTES)


def _texts(outcome: AddMemoriesOutcome) -> Iterator[str]:
    for change in outcome.changes:
        yield from (change.text, change.previous_text or "", *change.categories)
    for added in outcome.relations:
        relation = added.relation
        yield from (relation.source.name, relation.relation, relation.target.name)
    for notice in outcome.notices:
        yield notice.text
