"""Deleting one memory."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from server.domain.errors import ConcurrentChange, EtagMismatch, MemoryNotFound
from server.domain.identifiers import new_id
from server.domain.memory import Memory
from server.domain.request_context import current_request
from server.ports.clock import Clock
from server.ports.memory_store import Call, ChangeSet, MemoryStore, Removal

METHOD = "DeleteMemory"


@dataclass(frozen=True, slots=True)
class DeleteMemoryCommand:
    """Which memory to delete, and the etag that it must still have."""

    project_id: str
    memory_id: UUID
    etag: str | None = None


class DeleteMemory:
    """Deletes a memory, an immutable or expired one too. Its history stays."""

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(self, command: DeleteMemoryCommand) -> int:
        """Deletes and answers the position of the change.

        Raises:
            MemoryNotFound: the project does not have it.
            EtagMismatch: it has changed since the etag was read.
            ConcurrentChange: it changes at this moment.
            StoreUnavailable: nothing was deleted.
        """
        memory = await self._store.get(command.project_id, command.memory_id, visible_on=None)
        if memory is None:
            raise MemoryNotFound(command.memory_id)
        if command.etag is not None and command.etag != memory.etag:
            raise EtagMismatch(command.memory_id)
        removal = Removal(0, memory.id, memory.version)
        try:
            committed = await self._store.commit(ChangeSet(self._call(memory), removed=[removal]))
        except ConcurrentChange:
            if command.etag is not None:
                raise EtagMismatch(command.memory_id) from None
            raise
        return committed.position

    def _call(self, memory: Memory) -> Call:
        now = self._clock.now()
        return Call(
            id=new_id(now),
            project_id=memory.project_id,
            scope=memory.scope,
            method=METHOD,
            time=now,
            correlation_id=current_request().correlation_id,
            embedding_model=memory.provenance.embedding_model,
        )
