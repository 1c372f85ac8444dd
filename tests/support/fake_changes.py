"""The changes of single memories in memory, on a fake store."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from uuid import UUID

from server.core.errors import ConcurrentChange, RequestIdReused
from server.memories.change.ports import FieldUpdate, Restoration
from server.memories.memory import EventType
from server.memories.ports import Call, MemoryDeletion, StoredCall, StoredChange
from server.memories.scope import DeletionReceipt, StoredDeletion
from tests.support.fake_store import FakeStore

_RECEIPT = DeletionReceipt(memories=1, graph_memories=1)


@dataclass
class FakeChanges:
    """Changes what `store` holds. `calls` are those that did something, in order."""

    store: FakeStore
    calls: list[Call] = field(default_factory=list)
    updates: list[FieldUpdate] = field(default_factory=list)
    restorations: list[Restoration] = field(default_factory=list)
    erased: list[MemoryDeletion] = field(default_factory=list)
    _stored: dict[tuple[str, UUID, int], StoredCall] = field(default_factory=dict)

    async def update(self, call: Call, update: FieldUpdate) -> int:
        memory = update.memory
        before = self.store.memories.get(memory.id)
        if before is None or before.version != memory.version - 1:
            raise ConcurrentChange
        self._require_free(call)
        self.store.memories[memory.id] = memory
        self.updates.append(update)
        return self._record(call, StoredChange(EventType.UPDATE, memory, before.text))

    async def restore(self, call: Call, restoration: Restoration) -> int:
        memory = restoration.memory
        before = self.store.memories.get(memory.id)
        if before is not None and before.version != memory.version - 1:
            raise ConcurrentChange
        self._require_free(call)
        self.store.memories[memory.id] = memory
        self.restorations.append(restoration)
        return self._record(call, StoredChange(EventType.RESTORE, memory, None))

    async def delete(self, call: Call, deletion: MemoryDeletion) -> StoredDeletion:
        before = self.store.memories.get(deletion.memory_id)
        if before is None or before.version != deletion.version:
            raise ConcurrentChange
        self._require_free(call)
        del self.store.memories[deletion.memory_id]
        position = self._record(call, StoredChange(EventType.DELETE, before, before.text))
        return _deletion(call, position)

    async def erase(self, call: Call, deletion: MemoryDeletion) -> StoredDeletion:
        self._require_free(call)
        self.store.memories.pop(deletion.memory_id, None)
        self.erased.append(deletion)
        return _deletion(call, self._record(call))

    async def find_deletion(
        self, project_id: str, request_id: UUID, item: int
    ) -> StoredDeletion | None:
        stored = self._stored.get((project_id, request_id, item))
        if stored is None:
            return None
        return StoredDeletion(_RECEIPT, stored.position, stored.payload_digest)

    async def claim_batch(self, batch: Call) -> frozenset[int]:
        if batch.request_id is None:
            return frozenset()
        key = (batch.project_id, batch.request_id)
        earlier = {item: stored for (*k, item), stored in self._stored.items() if tuple(k) == key}
        if any(stored.payload_digest != batch.payload_digest for stored in earlier.values()):
            raise RequestIdReused(batch.request_id)
        if not earlier:
            self._record(batch)
        return frozenset(earlier) - {0}

    async def find_change(self, project_id: str, request_id: UUID, item: int) -> StoredCall | None:
        return self._stored.get((project_id, request_id, item))

    def _require_free(self, call: Call) -> None:
        if call.request_id and (call.project_id, call.request_id, call.item) in self._stored:
            raise RequestIdReused(call.request_id)

    def _record(self, call: Call, *changes: StoredChange) -> int:
        self.calls.append(call)
        position = len(self.store.change_sets) + len(self.calls)
        if call.request_id:
            self._stored[call.project_id, call.request_id, call.item] = StoredCall(
                id=call.id,
                payload_digest=call.payload_digest,
                position=position,
                embedding_model=call.embedding_model,
                language_model=call.language_model,
                changes=[replace(change) for change in changes],
            )
        return position


def _deletion(call: Call, position: int) -> StoredDeletion:
    return StoredDeletion(_RECEIPT, position, call.payload_digest)
