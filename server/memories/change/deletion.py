"""Deletes a memory by its id, and restores an earlier version of it."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

from server.core.clock import Clock
from server.core.errors import (
    EtagMismatch,
    FieldViolation,
    InvalidRequest,
    MemoryImmutable,
    MemoryNotFound,
)
from server.core.values import Vector
from server.memories.change.effects import new_call, provenance
from server.memories.change.scopes import earlier_deletion
from server.memories.change.update_memory import (
    UpdatedMemory,
    earlier_change,
    etag_mismatch_on_conflict,
)
from server.memories.changes import Call, Deletion, Replacement
from server.memories.memory import Memory, PastVersion, embedded_text, today
from server.memories.ports import MemoryStore
from server.memories.scope import Scope, StoredDeletion, is_within
from server.models.ports import Embedder, EmbeddingPurpose
from server.operations.idempotency import RequestKey, once


@dataclass(frozen=True, slots=True)
class DeleteMemoryCommand:
    """The memory to delete, and the etag that it must still have.

    With `erase`, its history is erased too, even if the memory is already deleted. If `within` is
    given, memories outside of that scope are not found.
    """

    project_id: str
    memory_id: UUID
    etag: str | None = None
    key: RequestKey | None = None
    method: str = "DeleteMemory"
    erase: bool = False
    within: Scope | None = None


class DeleteMemory:
    """Deletes a memory, even if it is immutable or expired."""

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def __call__(self, command: DeleteMemoryCommand) -> Coroutine[Any, Any, StoredDeletion]:
        """Deletes the memory and returns the receipt.

        If the `key` was used before, it only returns the stored receipt.

        Raises:
            RequestIdReused: the request id was used before with another payload.
            MemoryNotFound: the project does not have it, or it is already erased.
            EtagMismatch: it has changed since the etag was read.
            ConcurrentChange: another call changed it at the same time.
            StoreUnavailable: nothing was deleted.
        """
        earlier = partial(earlier_deletion, self._store, command.project_id)
        return once(command.key, earlier, lambda: self._delete(command))

    async def _delete(self, command: DeleteMemoryCommand) -> StoredDeletion:
        memory = await self._store.get(command.project_id, command.memory_id, visible_on=None)
        if memory is None:
            return await self._erase_past(command)
        if not is_within(memory.scope, command.within):
            raise MemoryNotFound(command.memory_id)
        if command.etag is not None and command.etag != memory.etag:
            raise EtagMismatch(command.memory_id)
        delete = self._store.erase if command.erase else self._store.delete
        with etag_mismatch_on_conflict(command.memory_id, command.etag):
            return await delete(self._call(command, memory), Deletion(memory.id, memory.version))

    async def _erase_past(self, command: DeleteMemoryCommand) -> StoredDeletion:
        """Erases the history of a memory that is already deleted."""
        past = None
        if command.erase:
            past = await self._store.version(command.project_id, command.memory_id)
        if past is None or past.memory is None or not is_within(past.memory.scope, command.within):
            raise MemoryNotFound(command.memory_id)
        if command.etag is not None:
            raise EtagMismatch(command.memory_id)
        deletion = Deletion(command.memory_id, past.last_version)
        return await self._store.erase(self._call(command, past.memory), deletion)

    def _call(self, command: DeleteMemoryCommand, memory: Memory) -> Call:
        return new_call(
            memory.project_id,
            memory.scope,
            command.method,
            self._clock.now(),
            command.key,
            memory.provenance.embedding_model,
        )


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

    def __init__(self, store: MemoryStore, embedder: Embedder, clock: Clock) -> None:
        self._store = store
        self._embedder = embedder
        self._clock = clock

    def __call__(self, command: RestoreMemoryCommand) -> Coroutine[Any, Any, UpdatedMemory]:
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
        earlier = partial(earlier_change, self._store, command.project_id)
        return once(command.key, earlier, lambda: self._restore(command))

    async def _restore(self, command: RestoreMemoryCommand) -> UpdatedMemory:
        past = await self._store.version(command.project_id, command.memory_id, command.version)
        # A deletion has no scope, so a confined key must not learn that the memory existed.
        scope = past.memory.scope if past is not None and past.memory is not None else Scope()
        if past is None or not is_within(scope, command.within):
            raise MemoryNotFound(command.memory_id, command.version)
        past_state = self._require_restorable(past)
        await self._require_unchanged(command)
        embedding = past.embedding if past.embedding is not None else await self._embed(past_state)
        call = self._call(command, past_state)
        restored = replace(
            past_state,
            version=past.last_version + 1,
            update_time=call.time,
            provenance=provenance(call, past_state.provenance.evidence),
        )
        replacement = Replacement(restored, embedding, restores=command.version)
        with etag_mismatch_on_conflict(command.memory_id, command.etag):
            return UpdatedMemory(restored, await self._store.replace(call, replacement))

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
