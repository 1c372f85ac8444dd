"""Operations in memory, as small as a use case's tests need them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from server.memories.scope import Scope, is_within
from server.operations.operation import Operation, OperationState
from server.operations.ports import Channel, QueueStatistics, Submission


@dataclass
class FakeOperations:
    """Keeps what is submitted; nobody works on it."""

    kept: dict[UUID, Operation] = field(default_factory=dict)

    async def submit(self, submission: Submission) -> Operation:
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
        self.kept[operation.id] = operation
        return operation

    async def get(self, project_id: str, operation_id: UUID) -> Operation | None:
        operation = self.kept.get(operation_id)
        return operation if operation and operation.project_id == project_id else None

    async def accepted_digest(self, project_id: str, request_id: UUID) -> bytes | None:
        return None

    async def list(
        self,
        project_id: str,
        states: Sequence[OperationState] | None,
        limit: int,
        before: UUID | None,
        within: Scope | None = None,
    ) -> list[Operation]:
        newest = sorted(self.kept.values(), key=lambda operation: operation.id, reverse=True)
        return [
            operation
            for operation in newest
            if operation.project_id == project_id
            and (states is None or operation.state in states)
            and (before is None or operation.id < before)
            and is_within(operation.scope, within)
        ][:limit]

    async def cancel(self, project_id: str, operation_id: UUID, error: bytes) -> bool:
        operation = await self.get(project_id, operation_id)
        if operation is None or operation.state.is_done:
            return False
        self.kept[operation_id] = replace(operation, state=OperationState.CANCELLED, error=error)
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
        self.kept[operation_id] = replace(operation, state=OperationState.QUEUED, error=None)
        return True

    async def queue_statistics(self, project_id: str | None = None) -> QueueStatistics:
        states = [operation.state for operation in self.kept.values()]
        return QueueStatistics(
            states.count(OperationState.QUEUED),
            states.count(OperationState.RUNNING),
            states.count(OperationState.FAILED),
            0.0,
        )


@dataclass
class FakeNotifications:
    """Notices within this process."""

    ears: dict[Channel, list[Callable[[], None]]] = field(
        default_factory=lambda: {channel: [] for channel in Channel}
    )

    def notify(self, channel: Channel) -> None:
        for ear in list(self.ears[channel]):
            ear()

    @contextmanager
    def subscribe(self, channel: Channel, on_notice: Callable[[], None]) -> Iterator[None]:
        self.ears[channel].append(on_notice)
        try:
            yield
        finally:
            self.ears[channel].remove(on_notice)
