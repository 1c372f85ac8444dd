"""Deleting one memory."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from server.application.calls import new_call
from server.application.once import RequestKey, once
from server.domain.errors import ConcurrentChange, EtagMismatch, MemoryNotFound
from server.domain.memory import Memory
from server.domain.scope_kinds import StoredDeletion
from server.ports.clock import Clock
from server.ports.memory_changes import MemoryChanges
from server.ports.memory_history import MemoryHistory
from server.ports.memory_store import Call, MemoryStore, Removal


@dataclass(frozen=True, slots=True)
class DeleteMemoryCommand:
    """Which memory to delete, and the etag that it must still have.

    With `erase`, what history keeps of it goes too, even where it was deleted before.
    """

    project_id: str
    memory_id: UUID
    etag: str | None = None
    key: RequestKey | None = None
    method: str = "DeleteMemory"
    erase: bool = False


class DeleteMemory:
    """Deletes a memory, an immutable or expired one too."""

    def __init__(
        self, store: MemoryStore, changes: MemoryChanges, history: MemoryHistory, clock: Clock
    ) -> None:
        self._store = store
        self._changes = changes
        self._history = history
        self._clock = clock

    async def __call__(self, command: DeleteMemoryCommand) -> StoredDeletion:
        """Deletes and answers the receipt.

        With a `key` that came before, the stored receipt is answered and nothing is done.

        Raises:
            RequestIdReused: the request id came before with another payload.
            MemoryNotFound: the project does not have it, or has nothing of it left to erase.
            EtagMismatch: it has changed since the etag was read.
            ConcurrentChange: it changes at this moment.
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
        if command.etag is not None and command.etag != memory.etag:
            raise EtagMismatch(command.memory_id)
        removal = Removal(0, memory.id, memory.version)
        delete = self._changes.erase if command.erase else self._changes.remove
        try:
            return await delete(self._call(command, memory), removal)
        except ConcurrentChange:
            if command.etag is not None:
                raise EtagMismatch(command.memory_id) from None
            raise

    async def _erase_past(self, command: DeleteMemoryCommand) -> StoredDeletion:
        """What is left of a memory that was deleted before."""
        past = None
        if command.erase:
            past = await self._history.version(command.project_id, command.memory_id)
        if past is None or past.memory is None:
            raise MemoryNotFound(command.memory_id)
        if command.etag is not None:
            raise EtagMismatch(command.memory_id)
        removal = Removal(0, command.memory_id, past.last_version)
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
