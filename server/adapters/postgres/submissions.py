"""Keeping asynchronous calls, many in one statement."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import Context
from typing import TYPE_CHECKING

from server.adapters.postgres.pool import Database
from server.adapters.postgres.rows import to_scope
from server.adapters.statements import load_statements
from server.domain.errors import RequestIdReused
from server.domain.operation import Operation, OperationState
from server.ports.operations import Submission

if TYPE_CHECKING:
    from server.adapters.postgres.rows import Row

SQL = load_statements("server.adapters.postgres.sql", "operations.sql")
# Bounds the size of a statement, whose payloads may be large.
BATCH_SIZE = 256
BATCH_BYTES = 8 * 1024 * 1024


def operation_statement(name: str) -> str:
    """A statement with its fixed block in place."""
    return SQL[name].replace("{columns}", SQL["columns"])


def to_operation(row: Row) -> Operation:
    """An operation from its columns."""
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
    """Gathers the calls that come while a statement is on its way into the next statement.

    A single call waits for nothing; a thousand at once share a few commits.
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
            # Outside of this call, whose deadline and cancellation are not those of the others.
            self._flushing = asyncio.create_task(self._flush(), context=Context())
        return await kept or await self._earlier(submission)

    async def _flush(self) -> None:
        while self._waiting:
            size = _batch_size([submission for submission, _ in self._waiting])
            batch, self._waiting = self._waiting[:size], self._waiting[size:]
            try:
                kept = await self._keep([submission for submission, _ in batch])
            except Exception as error:  # noqa: BLE001 - each caller is told
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for submission, future in batch:
                if not future.done():
                    future.set_result(kept.get((submission.project_id, submission.id)))

    async def _keep(self, batch: Sequence[Submission]) -> dict[tuple[str, object], Operation]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(operation_statement("submit"), *_columns(batch))
        return {(row["project_id"], row["operation_id"]): to_operation(row) for row in rows}

    async def _earlier(self, submission: Submission) -> Operation:
        assert submission.request_id is not None
        async with self._database.connection() as connection:
            row = await connection.fetchrow(
                operation_statement("find_by_request"),
                submission.project_id,
                submission.request_id,
            )
        if row is None or row["payload_digest"] != submission.payload_digest:
            raise RequestIdReused(submission.request_id)
        return to_operation(row)


def _batch_size(waiting: Sequence[Submission]) -> int:
    """How many of the first ones go into one statement: at least one."""
    size = 0
    for count, submission in enumerate(waiting[:BATCH_SIZE], 1):
        size += len(submission.payload)
        if size > BATCH_BYTES:
            return max(1, count - 1)
    return min(len(waiting), BATCH_SIZE)


def _columns(batch: Sequence[Submission]) -> tuple[list[object], ...]:
    rows = [
        (
            submission.project_id,
            submission.id,
            submission.scope.user_id,
            submission.scope.agent_id,
            submission.scope.app_id,
            submission.scope.run_id,
            submission.scope.key(),
            submission.request_id,
            submission.payload_digest,
            submission.payload,
            submission.output_format,
            submission.correlation_id,
            submission.traceparent,
        )
        for submission in batch
    ]
    return tuple(list(column) for column in zip(*rows, strict=True))
