"""The graph's outbox of a fake store, for unit tests."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from uuid import UUID, uuid4

from server.graph.model import MemorySubgraph
from server.graph.project.ports import Backlog, DirtyMemory, ExpectedSubgraphs
from server.memories.changes import Call
from server.memories.memory import today
from tests.support.fake_store import FakeStore
from tests.support.fakes import FakeClock

_NOBODY = UUID(int=0)
_Key = tuple[str, UUID]


@dataclass
class Entry:
    """A changed memory; `first` is the position of its first change that is not in the graph."""

    dirty: DirtyMemory
    first: int
    available_at: float = 0.0
    enqueued_at: float = field(default_factory=time.monotonic)
    is_given_up: bool = False
    was_overtaken: bool = False


@dataclass
class FakeOutbox:
    """Has the memories that commits to `store` change; `asked` are the questions for positions.

    It passes tests/contract/test_outbox.py, except for tests of days and of concurrent statements.
    It does not join names by their aliases.
    """

    store: FakeStore = field(default_factory=FakeStore)
    clock: FakeClock = field(default_factory=FakeClock)
    asked: list[tuple[str, int]] = field(default_factory=list)
    _entries: dict[_Key, Entry] = field(default_factory=dict)
    _read: int = 0
    _naming: set[UUID] = field(default_factory=set)

    def _catch_up_with_store(self) -> dict[_Key, Entry]:
        """Returns the entries after all commits so far."""
        for position, changes in enumerate(self.store.change_sets[self._read :], self._read + 1):
            for item in changes.added:
                names = bool(item.entities or item.relations)
                self._change(changes.call, item.memory_id, position, names=names)
            for update in changes.updated:
                names = bool(update.entities or update.relations)
                self._change(changes.call, update.memory_id, position, names=names)
            for deletion in changes.deleted:
                self._change(changes.call, deletion.memory_id, position, names=False)
        self._read = len(self.store.change_sets)
        return self._entries

    def _change(self, call: Call, memory_id: UUID, position: int, *, names: bool) -> None:
        key = call.project_id, memory_id
        entry = self._entries.get(key)
        if names or memory_id in self._naming or entry is not None:
            lease, available_at = (
                (entry.dirty.lease, entry.available_at) if entry else (_NOBODY, 0.0)
            )
            dirty = DirtyMemory(*key, position, 0, call.correlation_id, lease, call.traceparent)
            first = entry.first if entry and not entry.is_given_up else position
            self._entries[key] = Entry(dirty, first, available_at)
        (self._naming.add if names else self._naming.discard)(memory_id)

    async def claim(self, limit: int, lease: timedelta) -> list[DirtyMemory]:
        now, lease_id = time.monotonic(), uuid4()
        free = [
            entry
            for entry in self._catch_up_with_store().values()
            if entry.available_at <= now and not entry.is_given_up
        ]
        free.sort(key=lambda entry: entry.dirty.position)
        for entry in free[:limit]:
            attempts = entry.dirty.attempts + 1
            entry.dirty = replace(entry.dirty, attempts=attempts, lease=lease_id)
            entry.available_at = now + lease.total_seconds()
        return [entry.dirty for entry in free[:limit]]

    def _held(self, claimed: Sequence[DirtyMemory]) -> Iterator[tuple[DirtyMemory, Entry]]:
        entries = self._catch_up_with_store()
        for dirty in claimed:
            entry = entries.get((dirty.project_id, dirty.memory_id))
            if entry is not None and entry.dirty.lease == dirty.lease:
                yield dirty, entry

    async def renew(self, claimed: Sequence[DirtyMemory], lease: timedelta) -> None:
        for _, entry in self._held(claimed):
            entry.available_at = time.monotonic() + lease.total_seconds()

    async def settle(self, claimed: Sequence[DirtyMemory]) -> int:
        held = {dirty.memory_id: entry for dirty, entry in self._held(claimed)}
        for dirty in claimed:
            key = dirty.project_id, dirty.memory_id
            entry = held.get(dirty.memory_id)
            if entry is None:
                other = self._entries.setdefault(key, Entry(dirty, dirty.position))
                other.was_overtaken = True
            elif entry.dirty.position == dirty.position and not entry.was_overtaken:
                del self._entries[key]
            else:
                again = replace(entry.dirty, attempts=0, lease=_NOBODY)
                self._entries[key] = Entry(again, again.position)
        return len(claimed) - len(held)

    async def release(self, claimed: Sequence[DirtyMemory], retry_after: timedelta) -> None:
        for _, entry in self._held(claimed):
            entry.dirty = replace(entry.dirty, lease=_NOBODY)
            entry.available_at = time.monotonic() + retry_after.total_seconds()

    async def refuse(
        self, refused: DirtyMemory, fault: str, retry_after: timedelta, patience: int
    ) -> bool:
        for dirty, entry in self._held([refused]):
            is_same = entry.dirty.position == dirty.position
            entry.is_given_up = is_same and dirty.attempts >= patience
            await self.release([refused], retry_after)
            return entry.is_given_up
        return False

    async def subgraphs(self, claimed: Sequence[DirtyMemory]) -> list[MemorySubgraph]:
        return [
            replace(
                self._subgraph(dirty.project_id, dirty.memory_id),
                correlation_id=dirty.correlation_id,
            )
            for dirty in claimed
        ]

    def _subgraph(self, project_id: str, memory_id: UUID) -> MemorySubgraph:
        memory, day = self.store.memories.get(memory_id), today(self.clock.now())
        if memory is None or (memory.expiration_date or date.max) < day:
            return MemorySubgraph(project_id, memory_id, exists=False)
        return MemorySubgraph(
            project_id,
            memory_id,
            exists=bool(memory.entities or memory.relations),
            version=memory.version,
            scope=memory.scope,
            entities=memory.entities,
            relations=memory.relations,
            event_time=memory.event_time,
            expires_on=memory.expiration_date,
        )

    async def is_caught_up(self, project_id: str, position: int) -> bool:
        self.asked.append((project_id, position))
        return not any(
            entry.first <= position and not entry.is_given_up
            for (of, _), entry in self._catch_up_with_store().items()
            if of == project_id
        )

    async def backlog(self, project_id: str | None = None) -> Backlog:
        found = [
            entry
            for (of, _), entry in self._catch_up_with_store().items()
            if project_id in (None, of)
        ]
        waiting = [entry for entry in found if not entry.is_given_up]
        now = time.monotonic()
        oldest = max((now - entry.enqueued_at for entry in waiting), default=0.0)
        return Backlog(len(waiting), len(found) - len(waiting), oldest)

    async def enqueue_overdue(self) -> int:
        return 0

    async def projects(self) -> list[str]:
        return sorted({memory.project_id for memory in self.store.memories.values()})

    async def memories(self, project_id: str, page_size: int) -> AsyncIterator[list[UUID]]:
        ids = sorted(m.id for m in self.store.memories.values() if m.project_id == project_id)
        for start in range(0, len(ids), page_size):
            yield ids[start : start + page_size]

    async def expected_subgraphs(
        self, project_id: str, memory_ids: Sequence[UUID]
    ) -> ExpectedSubgraphs:
        return ExpectedSubgraphs([self._subgraph(project_id, each) for each in memory_ids], [])

    async def outstanding(self, project_id: str, memory_ids: Sequence[UUID]) -> set[UUID]:
        entries = self._catch_up_with_store()
        return {each for each in memory_ids if (project_id, each) in entries}

    async def enqueue(self, project_id: str, memory_ids: Sequence[UUID]) -> None:
        for memory_id in memory_ids:
            dirty = DirtyMemory(project_id, memory_id, 0, 0, "rebuild", _NOBODY)
            self._catch_up_with_store().setdefault((project_id, memory_id), Entry(dirty, 0))

    async def revive(self, project_id: str) -> int:
        entries = self._catch_up_with_store().items()
        given_up = [entry for (of, _), entry in entries if of == project_id and entry.is_given_up]
        for entry in given_up:
            entry.is_given_up = False
        return len(given_up)
