"""Deletes memories by their ids, one or many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from server.core.clock import Clock
from server.core.errors import ConcurrentChange, EtagMismatch, MemoirError, MemoryNotFound
from server.memories.change.effects import new_call
from server.memories.change.ports import MemoryChanges
from server.memories.change.update_memory import item_key, one_by_one
from server.memories.history.ports import MemoryHistory
from server.memories.memory import Memory
from server.memories.ports import Call, MemoryDeletion, MemoryStore
from server.memories.scope import Scope, StoredDeletion, is_within
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

    def __init__(
        self, store: MemoryStore, changes: MemoryChanges, history: MemoryHistory, clock: Clock
    ) -> None:
        self._store = store
        self._changes = changes
        self._history = history
        self._clock = clock

    async def __call__(self, command: DeleteMemoryCommand) -> StoredDeletion:
        """Deletes the memory and returns the receipt.

        If the `key` was used before, it only returns the stored receipt.

        Raises:
            RequestIdReused: the request id was used before with another payload.
            MemoryNotFound: the project does not have it, or it is already erased.
            EtagMismatch: it has changed since the etag was read.
            ConcurrentChange: another call changed it at the same time.
            StoreUnavailable: nothing was deleted.
        """

        async def earlier(key: RequestKey) -> StoredDeletion | None:
            deletion = await self._changes.find_deletion(command.project_id, key.id, key.item)
            if deletion is not None:
                key.require_same(deletion.payload_digest)
            return deletion

        return await once(command.key, earlier, lambda: self._delete(command))

    async def _delete(self, command: DeleteMemoryCommand) -> StoredDeletion:
        memory = await self._store.get(command.project_id, command.memory_id, visible_on=None)
        if memory is None:
            return await self._erase_past(command)
        if not is_within(memory.scope, command.within):
            raise MemoryNotFound(command.memory_id)
        if command.etag is not None and command.etag != memory.etag:
            raise EtagMismatch(command.memory_id)
        removal = MemoryDeletion(0, memory.id, memory.version)
        delete = self._changes.erase if command.erase else self._changes.delete
        try:
            return await delete(self._call(command, memory), removal)
        except ConcurrentChange:
            if command.etag is not None:
                raise EtagMismatch(command.memory_id) from None
            raise

    async def _erase_past(self, command: DeleteMemoryCommand) -> StoredDeletion:
        """Erases the history of a memory that is already deleted."""
        past = None
        if command.erase:
            past = await self._history.version(command.project_id, command.memory_id)
        if past is None or past.memory is None or not is_within(past.memory.scope, command.within):
            raise MemoryNotFound(command.memory_id)
        if command.etag is not None:
            raise EtagMismatch(command.memory_id)
        removal = MemoryDeletion(0, command.memory_id, past.last_version)
        return await self._changes.erase(self._call(command, past.memory), removal)

    def _call(self, command: DeleteMemoryCommand, memory: Memory) -> Call:
        return new_call(
            memory.project_id,
            memory.scope,
            command.method,
            self._clock.now(),
            command.key,
            memory.provenance.embedding_model,
        )


BATCH_DELETE_MEMORIES = "BatchDeleteMemories"


@dataclass(frozen=True, slots=True)
class BatchDeleteCommand:
    """The deletions, in order. The `key` belongs to the batch; items have no keys."""

    project_id: str
    items: Sequence[DeleteMemoryCommand]
    key: RequestKey | None = None


class BatchDeleteMemories:
    """Deletes several memories, each in its own transaction."""

    def __init__(self, delete: DeleteMemory, changes: MemoryChanges, clock: Clock) -> None:
        self._delete = delete
        self._changes = changes
        self._clock = clock

    async def __call__(self, command: BatchDeleteCommand) -> list[StoredDeletion | MemoirError]:
        """Returns the receipt or the error of each deletion, in order.

        If the `key` was used before, items that succeeded return their earlier receipts; the others
        are retried.

        Raises:
            RequestIdReused: the request id was used before with another payload.
            StoreUnavailable: nothing was deleted.
            DeadlineExceeded: the deadline has passed; completed deletions stay.
        """
        # The batch's own call changes no memory and has no scope.
        batch = new_call(
            command.project_id, Scope(), BATCH_DELETE_MEMORIES, self._clock.now(), command.key
        )
        await self._changes.claim_batch(batch)
        items = [
            replace(item, method=BATCH_DELETE_MEMORIES, key=item_key(command.key, index))
            for index, item in enumerate(command.items)
        ]
        return await one_by_one([partial(self._delete, item) for item in items])
