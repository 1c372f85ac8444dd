"""Operations in memory, for unit tests."""

from __future__ import annotations

import builtins
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from server.core.errors import RequestIdReused
from server.memories.scope import Scope, is_within
from server.operations.operation import Operation, OperationLease, OperationState
from server.operations.ports import Channel, ClaimedOperation, QueueStatistics, Shares, Submission


@dataclass(frozen=True, slots=True)
class _Entry:
    """An operation with its state in the queue; times are those of `time.monotonic`."""

    operation: Operation
    submission: Submission
    failures: int = 0
    lease_id: UUID | None = None
    lease_end: float = 0.0
    available_at: float = 0.0
    submitted_at: float = field(default_factory=time.monotonic)


@dataclass
class FakeOperations:
    """A queue in memory.

    It passes tests/contract/test_operations.py, except for tests that need another store.
    """

    kept: dict[UUID, _Entry] = field(default_factory=dict)

    async def submit(self, submission: Submission) -> Operation:
        earlier = self._by_request(submission.project_id, submission.request_id)
        if earlier is not None:
            if earlier.submission.payload_digest != submission.payload_digest:
                raise RequestIdReused(earlier.operation.id)
            return earlier.operation
        operation = Operation(
            id=submission.id,
            project_id=submission.project_id,
            scope=submission.scope,
            state=OperationState.QUEUED,
            output_format=submission.output_format,
            correlation_id=submission.correlation_id,
            attempts=0,
            create_time=datetime(2026, 1, 1, tzinfo=UTC),
        )
        self.kept[operation.id] = _Entry(operation, submission)
        return operation

    def _by_request(self, project_id: str, request_id: UUID | None) -> _Entry | None:
        if request_id is None:
            return None
        for entry in self.kept.values():
            if (entry.submission.project_id, entry.submission.request_id) == (
                project_id,
                request_id,
            ):
                return entry
        return None

    async def get(self, project_id: str, operation_id: UUID) -> Operation | None:
        entry = self.kept.get(operation_id)
        return entry.operation if entry and entry.operation.project_id == project_id else None

    async def accepted_digest(self, project_id: str, request_id: UUID) -> bytes | None:
        entry = self._by_request(project_id, request_id)
        return entry.submission.payload_digest if entry else None

    async def list(
        self,
        project_id: str,
        states: Sequence[OperationState] | None,
        limit: int,
        before: UUID | None,
        within: Scope | None = None,
    ) -> list[Operation]:
        newest = sorted(self._of(project_id), key=lambda operation: operation.id, reverse=True)
        return [
            operation
            for operation in newest
            if (states is None or operation.state in states)
            and (before is None or operation.id < before)
            and is_within(operation.scope, within)
        ][:limit]

    def _of(self, project_id: str | None) -> builtins.list[Operation]:
        every = [entry.operation for entry in self.kept.values()]
        return [each for each in every if project_id in {None, each.project_id}]

    async def cancel(self, project_id: str, operation_id: UUID, error: bytes) -> bool:
        operation = await self.get(project_id, operation_id)
        if operation is None or operation.state.is_done:
            return False
        self._change(operation_id, state=OperationState.CANCELLED, error=error)
        return True

    async def delete(self, project_id: str, operation_id: UUID) -> bool:
        operation = await self.get(project_id, operation_id)
        if operation is None or not operation.state.is_done:
            return False
        del self.kept[operation_id]
        return True

    async def revive(self, project_id: str, operation_id: UUID) -> bool:
        operation = await self.get(project_id, operation_id)
        if operation is None or operation.state is not OperationState.FAILED:
            return False
        self._change(operation_id, state=OperationState.QUEUED, error=None)
        self.kept[operation_id] = replace(self.kept[operation_id], failures=0)
        return True

    async def queue_statistics(self, project_id: str | None = None) -> QueueStatistics:
        states = [operation.state for operation in self._of(project_id)]
        return QueueStatistics(
            states.count(OperationState.QUEUED),
            states.count(OperationState.RUNNING),
            states.count(OperationState.FAILED),
            0.0,
        )

    async def claim(
        self, limit: int, duration: timedelta, shares: Shares
    ) -> Sequence[ClaimedOperation]:
        turns: builtins.list[tuple[int, int, UUID]] = []
        taken = Counter(shares.running)
        for place, operation_id in enumerate(self._claimable()):
            project_id = self.kept[operation_id].operation.project_id
            if taken[project_id] < shares.largest:
                turns.append((taken[project_id], place, operation_id))
                taken[project_id] += 1
        return [
            self._claimed(operation_id, duration) for _, _, operation_id in sorted(turns)[:limit]
        ]

    def _claimable(self) -> builtins.list[UUID]:
        """Returns the claimable operations: the oldest pending one of each scope, oldest first."""
        undone = [entry for entry in self.kept.values() if not entry.operation.state.is_done]
        oldest: dict[tuple[str, Scope], _Entry] = {}
        for entry in undone:
            oldest.setdefault((entry.operation.project_id, entry.operation.scope), entry)
        now = time.monotonic()
        return [e.operation.id for e in oldest.values() if max(e.lease_end, e.available_at) <= now]

    def _claimed(self, operation_id: UUID, duration: timedelta) -> ClaimedOperation:
        attempts = self.kept[operation_id].operation.attempts + 1
        self._change(operation_id, state=OperationState.RUNNING, attempts=attempts)
        entry = self.kept[operation_id]
        lease = OperationLease(operation_id, uuid4())
        now = time.monotonic()
        self.kept[operation_id] = replace(
            entry,
            failures=entry.failures + 1,
            lease_id=lease.lease_id,
            lease_end=now + duration.total_seconds(),
        )
        return ClaimedOperation(
            project_id=entry.operation.project_id,
            lease=lease,
            payload=entry.submission.payload,
            correlation_id=entry.operation.correlation_id,
            create_time=entry.operation.create_time,
            attempts=attempts,
            failures=entry.failures + 1,
            age=timedelta(seconds=now - entry.submitted_at),
            traceparent=entry.submission.traceparent,
            origin=entry.submission.origin,
        )

    async def renew(self, claimed: ClaimedOperation, duration: timedelta) -> bool:
        if not self._is_held(claimed):
            return False
        entry = self.kept[claimed.lease.operation_id]
        end = time.monotonic() + duration.total_seconds()
        self.kept[claimed.lease.operation_id] = replace(entry, lease_end=end)
        return True

    async def release(
        self,
        claimed: ClaimedOperation,
        delay: timedelta,
        *,
        is_failure: bool,
        fault: str | None = None,
    ) -> bool:
        if not self._end(claimed, state=OperationState.QUEUED, fault=fault):
            return False
        entry = self.kept[claimed.lease.operation_id]
        self.kept[claimed.lease.operation_id] = replace(
            entry,
            available_at=time.monotonic() + delay.total_seconds(),
            failures=entry.failures - (not is_failure),
        )
        return True

    async def succeed(self, claimed: ClaimedOperation, call_id: UUID) -> bool:
        return self._end(claimed, state=OperationState.SUCCEEDED, call_id=call_id)

    async def fail(self, claimed: ClaimedOperation, fault: str, error: bytes) -> bool:
        return self._end(claimed, state=OperationState.FAILED, fault=fault, error=error)

    async def prune(self, age: timedelta, limit: int) -> int:
        oldest = time.monotonic() - age.total_seconds()
        done = [
            operation_id
            for operation_id, entry in self.kept.items()
            if entry.operation.state.is_done and entry.submitted_at <= oldest
        ]
        for operation_id in done[:limit]:
            del self.kept[operation_id]
        return len(done[:limit])

    async def release_request_ids(self, age: timedelta, limit: int) -> int:
        return 0

    def _is_held(self, claimed: ClaimedOperation) -> bool:
        entry = self.kept.get(claimed.lease.operation_id)
        return (
            entry is not None
            and entry.operation.state is OperationState.RUNNING
            and entry.lease_id == claimed.lease.lease_id
        )

    def _end(self, claimed: ClaimedOperation, **changes: object) -> bool:
        if not self._is_held(claimed):
            return False
        operation_id = claimed.lease.operation_id
        self._change(operation_id, **changes)
        self.kept[operation_id] = replace(self.kept[operation_id], lease_id=None, lease_end=0.0)
        return True

    def _change(self, operation_id: UUID, **changes: object) -> None:
        entry = self.kept[operation_id]
        operation = replace(entry.operation, **changes)  # type: ignore[arg-type] # its own fields
        self.kept[operation_id] = replace(entry, operation=operation)


@dataclass
class FakeNotifications:
    """Notifications within this process."""

    subscribers: dict[Channel, list[Callable[[], None]]] = field(
        default_factory=lambda: {channel: [] for channel in Channel}
    )

    def notify(self, channel: Channel) -> None:
        for subscriber in list(self.subscribers[channel]):
            subscriber()

    @contextmanager
    def subscribe(self, channel: Channel, on_notice: Callable[[], None]) -> Iterator[None]:
        self.subscribers[channel].append(on_notice)
        try:
            yield
        finally:
            self.subscribers[channel].remove(on_notice)
