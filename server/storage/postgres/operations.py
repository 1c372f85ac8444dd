"""Asynchronous calls on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import Context
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from server.core.errors import RequestIdReused
from server.core.request_context import Origin
from server.memories.scope import Scope
from server.operations.operation import Operation, OperationLease, OperationState
from server.operations.ports import ClaimedOperation, QueueStatistics, Shares, Submission
from server.storage.postgres.pool import Database
from server.storage.postgres.rows import to_scope
from server.storage.postgres.statements import load_sql

if TYPE_CHECKING:
    from server.storage.postgres.rows import Row


SQL = load_sql("operations.sql")
# Bounds the size of a statement, whose payloads may be large.
BATCH_SIZE = 256
BATCH_BYTES = 8 * 1024 * 1024


def to_operation(row: Row) -> Operation:
    """Returns the operation in a row."""
    state = OperationState(row["state"])
    return Operation(
        id=row["operation_id"],
        project_id=row["project_id"],
        scope=to_scope(row),
        state=state,
        output_format=row["output_format"],
        correlation_id=row["correlation_id"],
        attempts=row["attempts"],
        create_time=row["create_time"],
        start_time=row["start_time"],
        end_time=row["end_time"],
        next_attempt_time=row["available_at"] if state is OperationState.QUEUED else None,
        call_id=row["call_id"],
        fault=row["fault"],
        error=row["error"],
    )


class Submissions:
    """Stores the calls that arrive while a statement runs together with the next statement.

    A single call does not wait; a thousand concurrent calls share a few commits.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[Submission, asyncio.Future[Operation | None]]] = []
        self._flushing: asyncio.Task[None] | None = None

    async def submit(self, submission: Submission) -> Operation:
        """See `Operations.submit`."""
        kept: asyncio.Future[Operation | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((submission, kept))
        if self._flushing is None or self._flushing.done():
            # Outside of this call, so that its deadline and cancellation do not affect the others.
            self._flushing = asyncio.create_task(self._flush(), context=Context())
        return await kept or await self._earlier(submission)

    async def _flush(self) -> None:
        while self._waiting:
            size = _batch_size([submission for submission, _ in self._waiting])
            batch, self._waiting = self._waiting[:size], self._waiting[size:]
            try:
                kept = await self._keep([submission for submission, _ in batch])
            except Exception as error:  # noqa: BLE001 - each caller gets it
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for submission, future in batch:
                if not future.done():
                    future.set_result(kept.get((submission.project_id, submission.id)))

    async def _keep(self, batch: Sequence[Submission]) -> dict[tuple[str, object], Operation]:
        rows = await self._database.fetch(SQL["submit"](**_columns(batch)))
        return {(row["project_id"], row["operation_id"]): to_operation(row) for row in rows}

    async def _earlier(self, submission: Submission) -> Operation:
        assert submission.request_id is not None
        row = await self._database.fetchrow(
            SQL["find_by_request"](
                project_id=submission.project_id, request_id=submission.request_id
            )
        )
        if row is None or row["payload_digest"] != submission.payload_digest:
            raise RequestIdReused(submission.request_id)
        return to_operation(row)


def _batch_size(waiting: Sequence[Submission]) -> int:
    """Returns how many calls fit into one statement: at least one."""
    size = 0
    for count, submission in enumerate(waiting[:BATCH_SIZE], 1):
        size += len(submission.payload)
        if size > BATCH_BYTES:
            return max(1, count - 1)
    return min(len(waiting), BATCH_SIZE)


def _columns(batch: Sequence[Submission]) -> dict[str, list[object]]:
    return {
        "project_ids": [submission.project_id for submission in batch],
        "operation_ids": [submission.id for submission in batch],
        "user_ids": [submission.scope.user_id for submission in batch],
        "agent_ids": [submission.scope.agent_id for submission in batch],
        "app_ids": [submission.scope.app_id for submission in batch],
        "run_ids": [submission.scope.run_id for submission in batch],
        "scope_keys": [submission.scope.key() for submission in batch],
        "request_ids": [submission.request_id for submission in batch],
        "payload_digests": [submission.payload_digest for submission in batch],
        "payloads": [submission.payload for submission in batch],
        "output_formats": [submission.output_format for submission in batch],
        "correlation_ids": [submission.correlation_id for submission in batch],
        "traceparents": [submission.traceparent for submission in batch],
        "key_ids": [submission.origin.key_id for submission in batch],
        "peers": [submission.origin.peer for submission in batch],
    }


class PostgresOperations:
    """Implements both ports of `server.operations.ports`."""

    def __init__(self, database: Database, server_id: int | None = None) -> None:
        """`server_id` marks the presence of this server, if it has one."""
        self._database = database
        self._server_id = server_id
        self._submissions = Submissions(database)

    async def submit(self, submission: Submission) -> Operation:
        """See the port. Concurrent calls share a statement and so a commit."""
        return await self._submissions.submit(submission)

    async def get(self, project_id: str, operation_id: UUID) -> Operation | None:
        row = await self._row("get", project_id=project_id, operation_id=operation_id)
        return None if row is None else to_operation(row)

    async def accepted_digest(self, project_id: str, request_id: UUID) -> bytes | None:
        row = await self._row("find_by_request", project_id=project_id, request_id=request_id)
        return None if row is None else bytes(row["payload_digest"])

    async def list(
        self,
        project_id: str,
        states: Sequence[OperationState] | None,
        limit: int,
        before: UUID | None,
        within: Scope | None = None,
    ) -> list[Operation]:
        named = None if states is None else list(states)
        bounds = (within or Scope()).fields()
        rows = await self._database.fetch(
            SQL["list"](
                project_id=project_id, states=named, before_id=before, limit=limit, **bounds
            )
        )
        return [to_operation(row) for row in rows]

    async def cancel(self, project_id: str, operation_id: UUID, error: bytes) -> bool:
        row = await self._row(
            "cancel", project_id=project_id, operation_id=operation_id, error=error
        )
        return row is not None

    async def delete(self, project_id: str, operation_id: UUID) -> bool:
        row = await self._row("delete", project_id=project_id, operation_id=operation_id)
        return row is not None

    async def revive(self, project_id: str, operation_id: UUID) -> bool:
        row = await self._row("revive", project_id=project_id, operation_id=operation_id)
        return row is not None

    async def queue_statistics(self, project_id: str | None = None) -> QueueStatistics:
        row = await self._row("statistics", project_id=project_id)
        assert row is not None
        return QueueStatistics(**row)

    async def claim(
        self, limit: int, duration: timedelta, shares: Shares
    ) -> Sequence[ClaimedOperation]:
        lease_id = uuid4()
        rows = await self._database.fetch(
            SQL["claim"](
                limit=limit,
                lease=lease_id,
                duration=duration,
                server_id=self._server_id,
                share=shares.largest,
                busy_projects=list(shares.running),
                busy_counts=list(shares.running.values()),
            )
        )
        return [
            ClaimedOperation(
                project_id=row["project_id"],
                lease=OperationLease(row["operation_id"], lease_id),
                payload=row["payload"],
                correlation_id=row["correlation_id"],
                create_time=row["create_time"],
                attempts=row["attempts"],
                failures=row["failures"],
                age=row["age"],
                traceparent=row["traceparent"],
                origin=Origin(row["key_id"], row["peer"]),
            )
            for row in rows
        ]

    async def renew(self, claimed: ClaimedOperation, duration: timedelta) -> bool:
        return await self._row("renew", duration=duration, **_held(claimed)) is not None

    async def release(
        self,
        claimed: ClaimedOperation,
        delay: timedelta,
        *,
        is_failure: bool,
        fault: str | None = None,
    ) -> bool:
        row = await self._row(
            "release", delay=delay, is_failure=is_failure, fault=fault, **_held(claimed)
        )
        return row is not None

    async def succeed(self, claimed: ClaimedOperation, call_id: UUID) -> bool:
        return await self._row("succeed", call_id=call_id, **_held(claimed)) is not None

    async def fail(self, claimed: ClaimedOperation, fault: str, error: bytes) -> bool:
        return await self._row("fail", fault=fault, error=error, **_held(claimed)) is not None

    async def prune(self, age: timedelta, limit: int) -> int:
        return len(await self._database.fetch(SQL["prune"](age=age, limit=limit)))

    async def release_request_ids(self, age: timedelta, limit: int) -> int:
        rows = await self._database.fetch(SQL["release_request_ids"](age=age, limit=limit))
        return len(rows)

    async def _row(self, statement: str, **values: object) -> Row | None:
        return await self._database.fetchrow(SQL[statement](**values))


def _held(claimed: ClaimedOperation) -> dict[str, object]:
    return {
        "project_id": claimed.project_id,
        "operation_id": claimed.lease.operation_id,
        "lease": claimed.lease.lease_id,
    }
