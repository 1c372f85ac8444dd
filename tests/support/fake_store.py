"""A memory store in memory, for unit tests."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from operator import itemgetter
from uuid import UUID

from server.core.errors import ConcurrentChange
from server.core.values import Vector
from server.graph.model import StatedRelation
from server.graph.names import Split
from server.memories.add.inference import Candidate
from server.memories.changes import (
    Addition,
    Call,
    Change,
    ChangeSet,
    Deletion,
    Replacement,
    Update,
)
from server.memories.conversation import Message
from server.memories.memory import EventType, ListOrder, Memory, today
from server.memories.passages import Hit
from server.memories.queries import (
    AddInputs,
    AliasCount,
    Committed,
    ListQuery,
    RecallQuery,
    SearchQuery,
    StoredCall,
    StoredChange,
)
from server.memories.scope import Scope, StoredDeletion
from server.memories.search.question_clues import Clue, Recollection
from server.operations.ports import ScopeLease
from server.projects.project import Project
from tests.support.builders import memory_of, provenance
from tests.support.fake_changes import FakeChanges
from tests.support.filter_matching import matches


@dataclass
class FakeLeases:
    """Leases on scopes; the `holders` that a test sets never expire.

    It passes tests/contract/test_scope_leases.py.
    """

    holders: dict[tuple[str, bytes], UUID] = field(default_factory=dict)
    _ends: dict[UUID, float] = field(default_factory=dict)

    async def acquire(self, lease: ScopeLease, duration: timedelta) -> bool:
        place = lease.project_id, lease.scope_key
        holder = self.holders.get(place)
        if holder is not None and time.monotonic() < self._ends.get(holder, math.inf):
            return holder == lease.lease_id
        self.holders[place] = lease.lease_id
        self._ends[lease.lease_id] = time.monotonic() + duration.total_seconds()
        return True

    async def renew(self, lease: ScopeLease, duration: timedelta) -> bool:
        is_held = self.is_held(lease)
        if is_held:
            self._ends[lease.lease_id] = time.monotonic() + duration.total_seconds()
        return is_held

    async def release(self, lease: ScopeLease) -> None:
        if self.is_held(lease):
            del self.holders[lease.project_id, lease.scope_key]

    def is_held(self, lease: ScopeLease) -> bool:
        """Whether nobody else has taken the lease."""
        return self.holders.get((lease.project_id, lease.scope_key)) == lease.lease_id

    async def missing(self) -> AbstractSet[int]:
        return frozenset()

    async def end_leases(self, servers: AbstractSet[int]) -> int:
        return 0


@dataclass
class FakeStore(FakeChanges):
    """Stores commits; `change_sets` and `searches` hold all of them in order.

    `clues`, by name, and `related` are what `recall` returns, and `recalls` holds its queries; both
    stay apart from the memories.

    It passes tests/contract/test_memory_store.py.
    """

    searches: list[SearchQuery] = field(default_factory=list)
    leases: FakeLeases = field(default_factory=FakeLeases)
    projects: dict[str, Project] = field(default_factory=dict)
    clues: dict[str, list[Clue]] = field(default_factory=dict)
    related: list[StatedRelation] = field(default_factory=list)
    recalls: list[RecallQuery] = field(default_factory=list)
    _splits: list[Split] = field(default_factory=list)
    _by_id: dict[tuple[str, UUID], StoredCall] = field(default_factory=dict)

    def _read(
        self, project_id: str, scope: Scope, visible_on: date | None, time: datetime | None = None
    ) -> list[Memory]:
        if time is not None:
            self.asked.append((time, visible_on))
        return [
            memory
            for memory in (self.memories.values() if time is None else self.memories_at(time))
            if memory.project_id == project_id
            and set(scope.parts()) <= set(memory.scope.parts())
            and (not visible_on or (memory.expiration_date or date.max) >= visible_on)
        ]

    def _similarity(self, memory: Memory, vector: Vector) -> float:
        return sum(a * b for a, b in zip(self._vectors[memory.id], vector, strict=True))

    async def commit(self, changes: ChangeSet) -> Committed:
        call = changes.call
        self._require_free(call)
        if not self._is_current(changes):
            raise ConcurrentChange
        if changes.lease is not None:
            lease = ScopeLease(call.project_id, call.scope.key(), changes.lease)
            if not self.leases.is_held(lease):
                raise ConcurrentChange
            await self.leases.release(lease)
        applied = (self._apply(changes, change) for change in changes.changes)
        done = [each for each in applied if each is not None]
        for each in done:
            self.past.record(each, call, self._vectors.get(each.memory.id))
        self.change_sets.append(changes)
        position = len(self.change_sets) + len(self.calls)
        stored = StoredCall(
            id=call.id,
            payload_digest=call.payload_digest,
            position=position,
            embedding_model=call.embedding_model,
            language_model=call.language_model,
            changes=done,
            notices=call.notices,
        )
        self._by_id[call.project_id, call.id] = stored
        if call.request_id:
            self._stored[call.project_id, call.request_id, call.item] = stored
        self.on_commit()
        added = (each.memory.id for each in done if each.event is EventType.ADD)
        return Committed(frozenset(added), position)

    def _is_current(self, changes: ChangeSet) -> bool:
        """Whether the memories to change are unchanged since the changes were decided."""
        for change in changes.changes:
            memory = self.memories.get(change.memory_id)
            if isinstance(change, Addition):
                continue
            if memory is None or memory.project_id != changes.call.project_id:
                return False
            if memory.version != change.version:
                return False
        for update in changes.updated:
            memory = self.memories[update.memory_id]
            if memory.immutable or self.holder(memory, update.digest) not in (None, memory):
                return False
        return True

    def _apply(self, changes: ChangeSet, change: Change) -> StoredChange | None:
        if isinstance(change, Addition):
            return self._add(changes, change)
        if isinstance(change, Update):
            return self._update(changes, change)
        return self.remove(change.memory_id)

    def _add(self, changes: ChangeSet, item: Addition) -> StoredChange | None:
        memory = memory_of(changes, item)
        holder = self.holder(memory, item.digest)
        if holder is not None:
            if (holder.expiration_date or date.max) >= today(changes.call.time):
                return None
            self.remove(holder.id)
        self.keep(memory, item.digest, item.embedding)
        return StoredChange(EventType.ADD, memory, None)

    def _update(self, changes: ChangeSet, update: Update) -> StoredChange:
        before, call = self.memories[update.memory_id], changes.call
        after = replace(
            before,
            text=update.text,
            categories=update.categories,
            entities=update.entities,
            relations=update.relations,
            metadata={**before.metadata, **changes.metadata},
            event_time=changes.event_time or call.time,
            expiration_date=changes.expiration_date or before.expiration_date,
            role=update.role,
            name=update.name,
            update_time=call.time,
            version=before.version + 1,
            provenance=provenance(call, update.evidence),
        )
        self.keep(after, update.digest, update.embedding)
        return StoredChange(EventType.UPDATE, after, before.text)

    async def get_call(self, project_id: str, call_id: UUID) -> StoredCall | None:
        return self._by_id.get((project_id, call_id))

    async def begin_add(
        self,
        lease: ScopeLease,
        duration: timedelta,
        vectors: Sequence[Vector],
        limit: int,
        visible_on: date,
    ) -> AddInputs | None:
        if not await self.leases.acquire(lease, duration):
            return None
        place = lease.project_id, lease.scope_key
        exact = [
            memory
            for memory in self._read(lease.project_id, Scope(), visible_on)
            if (memory.project_id, memory.scope.key()) == place
        ]
        nearest: dict[UUID, tuple[float, Candidate]] = {}
        for vector in vectors:
            scored = [(-self._similarity(memory, vector), memory.id, memory) for memory in exact]
            for distance, id_, memory in sorted(scored, key=itemgetter(0, 1))[:limit]:
                candidate = self._candidate(memory)
                best, _ = nearest.get(id_, (math.inf, candidate))
                nearest[id_] = (min(best, distance), candidate)
        ordered = sorted(nearest.items(), key=lambda item: (item[1][0], item[0]))
        project = self.projects.get(lease.project_id)
        candidates = [candidate for _, (_, candidate) in ordered]
        if project is None:
            return AddInputs(candidates)
        return AddInputs(
            candidates,
            project.custom_instructions,
            project.custom_categories,
            project.keeps_passages,
        )

    def _candidate(self, memory: Memory) -> Candidate:
        return Candidate(
            memory.id,
            memory.text,
            memory.version,
            memory.immutable,
            self._vectors[memory.id],
            memory.entities,
            memory.relations,
            memory.role,
            memory.name,
        )

    async def recent_messages(self, project_id: str, scope: Scope, limit: int) -> list[Message]:
        kept = [
            Message(message.role, message.content, message.name)
            for changes in self.change_sets
            if (changes.call.project_id, changes.call.scope) == (project_id, scope)
            for message in changes.messages
        ]
        return kept[-limit:]

    async def search(self, query: SearchQuery) -> list[Hit]:
        self.searches.append(query)
        found = self._read(query.project_id, query.scope, query.visible_on)
        hits = [
            Hit(memory, self._similarity(memory, query.vector))
            for memory in found
            if (not query.categories or set(query.categories) & set(memory.categories))
            and (query.filters is None or matches(query.filters, memory))
        ]
        hits = [hit for hit in hits if query.threshold is None or hit.score >= query.threshold]
        return sorted(hits, key=lambda hit: -hit.score)[: query.limit]

    async def get(
        self,
        project_id: str,
        memory_id: UUID,
        visible_on: date | None,
        time: datetime | None = None,
    ) -> Memory | None:
        found = self._read(project_id, Scope(), visible_on, time)
        return next((memory for memory in found if memory.id == memory_id), None)

    async def list(self, query: ListQuery) -> list[Memory]:
        if query.time is not None:
            self.scopes.append(query.scope)
        found = self._read(query.project_id, query.scope, query.visible_on, query.time)
        found = [m for m in found if query.filters is None or matches(query.filters, m)]
        if query.with_entities:
            found = [m for m in found if m.entities or m.relations]
        newest_first = query.order is ListOrder.NEWEST_FIRST
        found.sort(key=lambda memory: (memory.create_time, memory.id), reverse=newest_first)
        if query.after is not None:
            ids = [memory.id for memory in found]
            found = found[ids.index(query.after.memory_id) + 1 :]
        return found[: query.limit]

    async def visible(
        self, project_id: str, memory_ids: Sequence[UUID], visible_on: date
    ) -> set[UUID]:
        found = self._read(project_id, Scope(), visible_on)
        return {memory.id for memory in found} & set(memory_ids)

    async def recall(self, query: RecallQuery) -> Recollection:
        self.recalls.append(query)
        clues = [clue for name in query.names for clue in self.clues.get(name, ())]
        relations = self.related if clues and query.with_relations else []
        return Recollection(clues, relations, has_entities=bool(self.clues))

    async def stated_aliases(
        self, project_id: str, space: str | None = None
    ) -> Sequence[AliasCount]:
        return []

    async def splits(
        self, project_id: str, spaces: Sequence[str] | None, at: datetime
    ) -> Sequence[Split]:
        asked = [each for each in self._splits if spaces is None or each.space in spaces]
        return [each for each in asked if each.create_time <= at]

    async def split(self, project_id: str, split: Split) -> int:
        self._splits.append(split)
        return 0

    async def rejoin(self, project_id: str, split: Split) -> bool:
        before = len(self._splits)
        self._splits = [each for each in self._splits if each.pair != split.pair]
        return len(self._splits) < before


class BusyStore(FakeStore):
    """Another call changes a memory whenever it was read to be changed or deleted."""

    async def replace(self, call: Call, change: Replacement) -> int:
        raise ConcurrentChange

    async def delete(self, call: Call, removal: Deletion) -> StoredDeletion:
        raise ConcurrentChange
