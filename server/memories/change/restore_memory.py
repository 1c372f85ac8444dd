"""Restores a memory to an earlier version."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from server.core.clock import Clock
from server.core.errors import (
    ConcurrentChange,
    EtagMismatch,
    FieldViolation,
    InvalidRequest,
    MemoryImmutable,
    MemoryNotFound,
)
from server.core.values import Vector
from server.memories.change.effects import memory_digest, new_call
from server.memories.change.ports import MemoryChanges, Restoration
from server.memories.change.update_memory import UpdatedMemory
from server.memories.history.ports import MemoryHistory
from server.memories.memory import Memory, PastVersion, embedded_text, today
from server.memories.ports import Call, MemoryStore
from server.memories.scope import Scope, is_within
from server.models.ports import Embedder, EmbeddingPurpose
from server.operations.idempotency import RequestKey, once

RESTORE_MEMORY = "RestoreMemory"


@dataclass(frozen=True, slots=True)
class RestoreMemoryCommand:
    """The memory and version to restore, and the etag that the memory must still have.

    If `within` is given, memories outside of that scope are not found.
    """

    project_id: str
    memory_id: UUID
    version: int
    etag: str | None = None
    key: RequestKey | None = None
    within: Scope | None = None


class RestoreMemory:
    """Restores an earlier state of a changed or deleted memory, as a new version.

    It uses the embedding from the history; the text is embedded again only if there is none.
    """

    def __init__(
        self,
        store: MemoryStore,
        history: MemoryHistory,
        changes: MemoryChanges,
        embedder: Embedder,
        clock: Clock,
    ) -> None:
        self._store = store
        self._history = history
        self._changes = changes
        self._embedder = embedder
        self._clock = clock

    async def __call__(self, command: RestoreMemoryCommand) -> UpdatedMemory:
        """Restores the memory and returns its new state.

        If the `key` was used before, it only returns the stored outcome.

        Raises:
            RequestIdReused: the request id was used before with another payload.
            MemoryNotFound: the project never had the memory or the version, or it was erased.
            InvalidRequest: the version is a deletion, or has expired by now.
            MemoryImmutable: the memory exists and can never be changed.
            EtagMismatch: it has changed or was deleted since the etag was read.
            ConcurrentChange: another call changed it at the same time.
            MemoryDuplicate: another memory of its scope is equal to it.
            ModelUnavailable, ModelQuotaExhausted, StoreUnavailable: nothing was changed.
        """

        async def earlier(key: RequestKey) -> UpdatedMemory | None:
            call = await self._changes.find_change(command.project_id, key.id, key.item)
            if call is None:
                return None
            key.require_same(call.payload_digest)
            return UpdatedMemory(call.changes[0].memory, call.position) if call.changes else None

        return await once(command.key, earlier, lambda: self._restore(command))

    async def _restore(self, command: RestoreMemoryCommand) -> UpdatedMemory:
        past = await self._history.version(command.project_id, command.memory_id, command.version)
        # A deletion has no scope, so a confined key must not learn that the memory existed.
        scope = past.memory.scope if past is not None and past.memory is not None else Scope()
        if past is None or not is_within(scope, command.within):
            raise MemoryNotFound(command.memory_id, command.version)
        wanted = self._require_restorable(past)
        await self._require_unchanged(command)
        embedding = past.embedding if past.embedding is not None else await self._embed(wanted)
        call = self._call(command, wanted)
        provenance = replace(
            wanted.provenance,
            call_id=call.id,
            request_id=call.request_id,
            correlation_id=call.correlation_id,
            key_id=call.origin.key_id,
            embedding_model=call.embedding_model,
            language_model=None,
            prompt_version=None,
        )
        restored = replace(
            wanted,
            version=past.last_version + 1,
            update_time=call.time,
            provenance=provenance,
        )
        restoration = Restoration(restored, command.version, memory_digest(restored), embedding)
        try:
            return UpdatedMemory(restored, await self._changes.restore(call, restoration))
        except ConcurrentChange:
            if command.etag is not None:
                raise EtagMismatch(command.memory_id) from None
            raise

    def _require_restorable(self, past: PastVersion) -> Memory:
        if past.memory is None:
            raise _invalid_version("is a deletion; name a version that has a state")
        last_day = past.memory.expiration_date
        if last_day is not None and last_day < today(self._clock.now()):
            raise _invalid_version(f"expired on {last_day}, so it would not be visible")
        return past.memory

    async def _require_unchanged(self, command: RestoreMemoryCommand) -> None:
        present = await self._store.get(command.project_id, command.memory_id, visible_on=None)
        if command.etag is not None and (present is None or command.etag != present.etag):
            raise EtagMismatch(command.memory_id)
        if present is not None and present.immutable:
            raise MemoryImmutable(command.memory_id)

    async def _embed(self, memory: Memory) -> Vector:
        text = embedded_text(memory.text, None if memory.inferred else memory.name)
        [vector] = await self._embedder.embed([text], EmbeddingPurpose.DOCUMENT)
        return vector

    def _call(self, command: RestoreMemoryCommand, memory: Memory) -> Call:
        return new_call(
            command.project_id,
            memory.scope,
            RESTORE_MEMORY,
            self._clock.now(),
            command.key,
            self._embedder.model,
        )


def _invalid_version(problem: str) -> InvalidRequest:
    return InvalidRequest([FieldViolation("version", problem)])
