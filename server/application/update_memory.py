"""Changing named fields of one memory."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from server.application.calls import new_call
from server.application.once import RequestKey, once
from server.domain.amendment import FieldChanges, amended, digest_of
from server.domain.errors import (
    ConcurrentChange,
    EtagMismatch,
    MemoryImmutable,
    MemoryNotFound,
)
from server.domain.indexed_text import embedded_text
from server.domain.memory import Memory, Provenance, today
from server.domain.values import Vector
from server.ports.clock import Clock
from server.ports.embedder import Embedder, EmbeddingPurpose
from server.ports.memory_changes import Amendment, MemoryChanges
from server.ports.memory_store import Call, MemoryStore


@dataclass(frozen=True, slots=True)
class UpdateMemoryCommand:
    """Which memory to change, how, and the etag that it must still have."""

    project_id: str
    memory_id: UUID
    changes: FieldChanges
    etag: str | None = None
    key: RequestKey | None = None
    method: str = "UpdateMemory"


@dataclass(frozen=True, slots=True)
class UpdatedMemory:
    """The memory after the change; `position` is what a consistency token is made of."""

    memory: Memory
    position: int


class UpdateMemory:
    """Changes a visible memory. One embedding where the text changes, and two round trips."""

    def __init__(
        self, store: MemoryStore, changes: MemoryChanges, embedder: Embedder, clock: Clock
    ) -> None:
        self._store = store
        self._changes = changes
        self._embedder = embedder
        self._clock = clock

    async def __call__(
        self, command: UpdateMemoryCommand, vector: Vector | None = None
    ) -> UpdatedMemory:
        """Changes and answers the new state.

        With a `key` that came before, the stored outcome is answered and nothing is done. `vector`
        is the embedding of the new text, where it is there already.

        Raises:
            RequestIdReused: the request id came before with another payload.
            MemoryNotFound: the project does not have it, or it has expired.
            MemoryImmutable: it can never be changed.
            EtagMismatch: it has changed since the etag was read.
            ConcurrentChange: it changes at this moment.
            MemoryDuplicate: another memory of its scope says the same.
            ModelUnavailable, ModelQuotaExhausted, StoreUnavailable: nothing was changed.
        """

        async def earlier(key: RequestKey) -> UpdatedMemory | None:
            return await self._earlier(command.project_id, key)

        return await once(command.key, earlier, lambda: self._update(command, vector))

    async def _earlier(self, project_id: str, key: RequestKey) -> UpdatedMemory | None:
        call = await self._changes.find_change(project_id, key.id, key.item)
        if call is None:
            return None
        key.require_same(call.payload_digest)
        return UpdatedMemory(call.changes[0].memory, call.position) if call.changes else None

    async def _update(self, command: UpdateMemoryCommand, vector: Vector | None) -> UpdatedMemory:
        before = await self._read(command)
        text = command.changes.new_text
        embedding = None
        if text is not None and text != before.text:
            said = embedded_text(text, None if before.inferred else before.name)
            # What a batch has embedded is the text alone.
            embedding = vector if vector is not None and said == text else await self._embed(said)
        call = self._call(command, before, embedded=embedding is not None)
        after = amended(before, command.changes, call.time, _provenance(call))
        amendment = Amendment(after, digest_of(after), embedding)
        try:
            return UpdatedMemory(after, await self._changes.amend(call, amendment))
        except ConcurrentChange:
            if command.etag is not None:
                raise EtagMismatch(command.memory_id) from None
            raise

    async def _read(self, command: UpdateMemoryCommand) -> Memory:
        memory = await self._store.get(
            command.project_id, command.memory_id, today(self._clock.now())
        )
        if memory is None:
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


def _provenance(call: Call) -> Provenance:
    return Provenance(
        call_id=call.id,
        request_id=call.request_id,
        correlation_id=call.correlation_id,
        embedding_model=call.embedding_model,
    )
