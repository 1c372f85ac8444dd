"""Memories that are changed by hand, in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from server.core.errors import ConcurrentChange, MemoryDuplicate, RequestIdReused
from server.core.values import Vector
from server.memories.change.effects import memory_digest
from server.memories.changes import Call, ChangeSet, Deletion, Replacement
from server.memories.filters.filter import Filter
from server.memories.memory import EventType, Memory, today
from server.memories.queries import StoredCall, StoredChange
from server.memories.scope import DeletionReceipt, Scope, ScopeKind, ScopeSummary, StoredDeletion
from tests.support.fake_history import FakeHistory
from tests.support.filter_matching import matches


@dataclass
class FakeChanges(FakeHistory):
    """The memories of a `FakeStore`. `calls` are the calls that changed some by hand, in order.

    It passes tests/contract/test_memory_changes.py and test_scope_store.py, except for tests that
    need history, a graph or messages.
    """

    memories: dict[UUID, Memory] = field(default_factory=dict)
    change_sets: list[ChangeSet] = field(default_factory=list)
    on_commit: Callable[[], None] = lambda: None
    calls: list[Call] = field(default_factory=list)
    replacements: list[Replacement] = field(default_factory=list)
    erased: list[Deletion] = field(default_factory=list)
    _vectors: dict[UUID, Vector] = field(default_factory=dict)
    _holders: dict[tuple[str, Scope, bytes], UUID] = field(default_factory=dict)
    _places: dict[UUID, tuple[str, Scope, bytes]] = field(default_factory=dict)
    _stored: dict[tuple[str, UUID, int], StoredCall] = field(default_factory=dict)
    _deletions: dict[UUID, StoredDeletion] = field(default_factory=dict)
    _last_versions: dict[UUID, int] = field(default_factory=dict)

    def holder(self, like: Memory, digest: bytes) -> Memory | None:
        """Returns the memory of the same scope with this digest."""
        holder = self._holders.get((like.project_id, like.scope, digest))
        return None if holder is None else self.memories.get(holder)

    def keep(self, memory: Memory, digest: bytes, embedding: Vector | None = None) -> None:
        """Stores a version of a memory; without a new embedding the earlier one stays."""
        self._let_go(memory.id)
        place = self._places[memory.id] = memory.project_id, memory.scope, digest
        self.memories[memory.id] = memory
        self._holders[place] = memory.id
        if embedding is not None:
            self._vectors[memory.id] = embedding

    def remove(self, memory_id: UUID) -> StoredChange:
        """Removes the memory."""
        memory = self.memories.pop(memory_id)
        self._let_go(memory_id)
        self._vectors.pop(memory_id, None)
        return StoredChange(EventType.DELETE, memory, memory.text)

    def _let_go(self, memory_id: UUID) -> None:
        place = self._places.pop(memory_id, None)
        if place is not None and self._holders.get(place) == memory_id:
            del self._holders[place]

    async def find_call(
        self, project_id: str, request_id: UUID, item: int = 0
    ) -> StoredCall | None:
        return self._stored.get((project_id, request_id, item))

    async def replace(self, call: Call, change: Replacement) -> int:
        memory = change.memory
        before = self.memories.get(memory.id)
        if before is not None and before.project_id != call.project_id:
            before = None
        if before is None and change.restores is None:
            raise ConcurrentChange
        last_version = before.version if before else self._last_versions.get(memory.id)
        if last_version not in {None, memory.version - 1} or (before and before.immutable):
            raise ConcurrentChange
        self._require_free(call)
        digest = memory_digest(memory)
        self._make_room(call, memory, digest)
        self.keep(memory, digest, change.embedding)
        self.replacements.append(change)
        if before is None or change.restores is not None:
            return self._record(call, StoredChange(EventType.RESTORE, memory, None))
        return self._record(call, StoredChange(EventType.UPDATE, memory, before.text))

    async def delete(self, call: Call, deletion: Deletion) -> StoredDeletion:
        before = self._current(call, deletion.memory_id, deletion.version)
        self._require_free(call)
        return self._delete(call, [before])

    async def erase(self, call: Call, deletion: Deletion) -> StoredDeletion:
        self._require_free(call)
        self.erased.append(deletion)
        before = self.memories.get(deletion.memory_id)
        return self._delete(call, [before] if before else [])

    async def list_scopes(
        self, project_id: str, kind: ScopeKind, after_id: str, limit: int, visible_on: date
    ) -> list[ScopeSummary]:
        by_id: dict[str, list[Memory]] = {}
        for memory in self._within(project_id, Scope()):
            if (id_ := getattr(memory.scope, kind)) and id_ > after_id:
                by_id.setdefault(id_, []).append(memory)
        return [
            ScopeSummary(
                kind,
                id_,
                sum((memory.expiration_date or date.max) >= visible_on for memory in memories),
                max(memory.update_time for memory in memories),
            )
            for id_, memories in sorted(by_id.items())
        ][:limit]

    async def delete_memories(
        self,
        call: Call,
        filters: Filter | None = None,
        *,
        erase: bool = False,
        validate_only: bool = False,
    ) -> StoredDeletion:
        if not call.scope.parts() and filters is None:
            raise ValueError("neither scope nor filters would delete the whole project")
        found = [
            memory
            for memory in self._within(call.project_id, call.scope)
            if filters is None or matches(filters, memory)
        ]
        if validate_only:
            return StoredDeletion(_receipt(found), 0)
        self._require_free(call)
        return self._delete(call, found)

    async def erase_scope(
        self, call: Call, kind: ScopeKind, scope_id: str
    ) -> StoredDeletion | None:
        found = self._within(call.project_id, Scope(**{kind: scope_id}))
        self._require_free(call)
        return self._delete(call, found) if found else None

    async def purge(
        self, expired_before: date, limit: int, call_of: Callable[[str], Call]
    ) -> DeletionReceipt | None:
        due = [
            memory
            for memory in self.memories.values()
            if (memory.expiration_date or date.max) < expired_before
        ]
        of_one = [memory for memory in due if memory.project_id == due[0].project_id][:limit]
        return self._delete(call_of(due[0].project_id), of_one).receipt if of_one else None

    async def find_deletion(
        self, project_id: str, request_id: UUID, item: int = 0
    ) -> StoredDeletion | None:
        stored = self._stored.get((project_id, request_id, item))
        if stored is None:
            return None
        other = StoredDeletion(DeletionReceipt(), stored.position, stored.payload_digest)
        return self._deletions.get(stored.id, other)

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

    def _current(self, call: Call, memory_id: UUID, version: int) -> Memory:
        memory = self.memories.get(memory_id)
        if memory is None or (memory.project_id, memory.version) != (call.project_id, version):
            raise ConcurrentChange
        return memory

    def _within(self, project_id: str, scope: Scope) -> list[Memory]:
        return [
            memory
            for memory in self.memories.values()
            if memory.project_id == project_id and set(scope.parts()) <= set(memory.scope.parts())
        ]

    def _make_room(self, call: Call, memory: Memory, digest: bytes) -> None:
        holder = self.holder(memory, digest)
        if holder is None or holder.id == memory.id:
            return
        if (holder.expiration_date or date.max) >= today(call.time):
            raise MemoryDuplicate(memory.id)
        self.remove(holder.id)

    def _require_free(self, call: Call) -> None:
        if call.request_id and (call.project_id, call.request_id, call.item) in self._stored:
            raise RequestIdReused(call.request_id)

    def _delete(self, call: Call, memories: Sequence[Memory]) -> StoredDeletion:
        for memory in memories:
            self.remove(memory.id)
            self._last_versions[memory.id] = memory.version + 1
        changes = (StoredChange(EventType.DELETE, memory, memory.text) for memory in memories)
        position = self._record(call, *changes)
        deletion = StoredDeletion(_receipt(memories), position, call.payload_digest)
        self._deletions[call.id] = deletion
        return deletion

    def _record(self, call: Call, *changes: StoredChange) -> int:
        self.calls.append(call)
        position = len(self.change_sets) + len(self.calls)
        if call.request_id:
            self._stored[call.project_id, call.request_id, call.item] = StoredCall(
                id=call.id,
                payload_digest=call.payload_digest,
                position=position,
                embedding_model=call.embedding_model,
                language_model=call.language_model,
                changes=changes,
            )
        self.on_commit()
        return position


def _receipt(memories: Sequence[Memory]) -> DeletionReceipt:
    in_graph = sum(bool(memory.entities or memory.relations) for memory in memories)
    return DeletionReceipt(memories=len(memories), graph_memories=in_graph)
