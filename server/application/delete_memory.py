"""Deleting one memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from server.application.once import RequestKey, once
from server.domain.errors import ConcurrentChange, EtagMismatch, MemoryNotFound
from server.domain.identifiers import new_id
from server.domain.memory import Memory
from server.domain.request_context import current_request
from server.ports.clock import Clock
from server.ports.memory_changes import MemoryChanges
from server.ports.memory_store import Call, MemoryStore, Removal


@dataclass(frozen=True, slots=True)
class DeleteMemoryCommand:
    """Which memory to delete, and the etag that it must still have."""

    project_id: str
    memory_id: UUID
    etag: str | None = None
    key: RequestKey | None = None
    method: str = "DeleteMemory"


class DeleteMemory:
    """Deletes a memory, an immutable or expired one too. Its history stays."""

    def __init__(self, store: MemoryStore, changes: MemoryChanges, clock: Clock) -> None:
        self._store = store
        self._changes = changes
        self._clock = clock

    async def __call__(self, command: DeleteMemoryCommand) -> int:
        """Deletes and answers the position of the change.

        With a `key` that came before, the stored outcome is answered and nothing is done.

        Raises:
            RequestIdReused: the request id came before with another payload.
            MemoryNotFound: the project does not have it.
            EtagMismatch: it has changed since the etag was read.
            ConcurrentChange: it changes at this moment.
            StoreUnavailable: nothing was deleted.
        """

        async def earlier(key: RequestKey) -> int | None:
            call = await self._changes.find_change(command.project_id, key.id, key.item)
            if call is None:
                return None
            key.require_same(call.payload_digest)
            return call.position

        return await once(command.key, earlier, lambda: self._delete(command))

    async def _delete(self, command: DeleteMemoryCommand) -> int:
        memory = await self._store.get(command.project_id, command.memory_id, visible_on=None)
        if memory is None:
            raise MemoryNotFound(command.memory_id)
        if command.etag is not None and command.etag != memory.etag:
            raise EtagMismatch(command.memory_id)
        removal = Removal(0, memory.id, memory.version)
        try:
            return await self._changes.remove(self._call(command, memory), removal)
        except ConcurrentChange:
            if command.etag is not None:
                raise EtagMismatch(command.memory_id) from None
            raise

    def _call(self, command: DeleteMemoryCommand, memory: Memory) -> Call:
        now = self._clock.now()
        call = Call(
            id=new_id(now),
            project_id=memory.project_id,
            scope=memory.scope,
            method=command.method,
            time=now,
            correlation_id=current_request().correlation_id,
            traceparent=current_request().traceparent,
            embedding_model=memory.provenance.embedding_model,
        )
        key = command.key
        if key is None:
            return call
        return replace(call, request_id=key.id, payload_digest=key.digest, item=key.item)
