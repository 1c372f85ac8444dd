"""Updates named fields of a memory."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from server.core.clock import Clock
from server.core.errors import (
    ConcurrentChange,
    EtagMismatch,
    MemoryImmutable,
    MemoryNotFound,
)
from server.core.values import Vector
from server.memories.change.effects import FieldChanges, new_call, with_changes
from server.memories.changes import Call, Replacement
from server.memories.memory import Memory, embedded_text, today
from server.memories.ports import MemoryStore
from server.memories.scope import Scope, is_within
from server.models.ports import Embedder, EmbeddingPurpose
from server.operations.idempotency import RequestKey, once


@dataclass(frozen=True, slots=True)
class UpdateMemoryCommand:
    """The memory to change, the changes, and the etag that it must still have.

    If `within` is given, memories outside of that scope are not found.
    """

    project_id: str
    memory_id: UUID
    changes: FieldChanges
    etag: str | None = None
    key: RequestKey | None = None
    method: str = "UpdateMemory"
    within: Scope | None = None


@dataclass(frozen=True, slots=True)
class UpdatedMemory:
    """The memory after the change; `position` becomes the consistency token."""

    memory: Memory
    position: int


async def earlier_change(
    store: MemoryStore, project_id: str, key: RequestKey
) -> UpdatedMemory | None:
    """Returns the stored outcome of an earlier call with this key, if there is one.

    Raises:
        RequestIdReused: the key was used with another payload.
    """
    call = await store.find_call(project_id, key.id, key.item)
    if call is None:
        return None
    key.require_same(call.payload_digest)
    return UpdatedMemory(call.changes[0].memory, call.position) if call.changes else None


@contextmanager
def etag_mismatch_on_conflict(memory_id: UUID, etag: str | None) -> Iterator[None]:
    """Reports a concurrent change as a stale etag, if the client gave an etag.

    Raises:
        EtagMismatch: the memory has changed since the etag was read.
    """
    try:
        yield
    except ConcurrentChange:
        if etag is not None:
            raise EtagMismatch(memory_id) from None
        raise


class UpdateMemory:
    """Updates a visible memory: two round trips, and one embedding if the text changes."""

    def __init__(self, store: MemoryStore, embedder: Embedder, clock: Clock) -> None:
        self._store = store
        self._embedder = embedder
        self._clock = clock

    def __call__(
        self, command: UpdateMemoryCommand, vector: Vector | None = None
    ) -> Coroutine[Any, Any, UpdatedMemory]:
        """Applies the change and returns the new state.

        If the `key` was used before, it only returns the stored outcome. `vector` is the embedding
        of the new text, if the caller already has it.

        Raises:
            RequestIdReused: the request id was used before with another payload.
            MemoryNotFound: the project does not have it, or it has expired.
            MemoryImmutable: it can never be changed.
            EtagMismatch: it has changed since the etag was read.
            ConcurrentChange: another call changed it at the same time.
            MemoryDuplicate: another memory of its scope would be equal to it.
            ModelUnavailable, ModelQuotaExhausted, StoreUnavailable: nothing was changed.
        """
        earlier = partial(earlier_change, self._store, command.project_id)
        return once(command.key, earlier, lambda: self._update(command, vector))

    async def _update(self, command: UpdateMemoryCommand, vector: Vector | None) -> UpdatedMemory:
        before = await self._read(command)
        text = command.changes.new_text
        embedding = None
        if text is not None and text != before.text:
            compared = embedded_text(text, None if before.inferred else before.name)
            # A batch embeds only the text, while a verbatim memory is embedded with its speaker's
            # name.
            embedding = (
                vector if vector is not None and compared == text else await self._embed(compared)
            )
        call = self._call(command, before, embedded=embedding is not None)
        after = with_changes(before, command.changes, call)
        with etag_mismatch_on_conflict(command.memory_id, command.etag):
            position = await self._store.replace(call, Replacement(after, embedding))
        return UpdatedMemory(after, position)

    async def _read(self, command: UpdateMemoryCommand) -> Memory:
        memory = await self._store.get(
            command.project_id, command.memory_id, today(self._clock.now())
        )
        if memory is None or not is_within(memory.scope, command.within):
            raise MemoryNotFound(command.memory_id)
        if memory.immutable:
            raise MemoryImmutable(command.memory_id)
        if command.etag is not None and command.etag != memory.etag:
            raise EtagMismatch(command.memory_id)
        return memory

    async def _embed(self, text: str) -> Vector:
        [vector] = await self._embedder.embed([text], EmbeddingPurpose.DOCUMENT)
        return vector

    def _call(self, command: UpdateMemoryCommand, before: Memory, *, embedded: bool) -> Call:
        model = self._embedder.model if embedded else before.provenance.embedding_model
        return new_call(
            command.project_id,
            before.scope,
            command.method,
            self._clock.now(),
            command.key,
            model,
        )
