"""Asynchronous calls on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from server.adapters.postgres.pool import Database
from server.adapters.postgres.submissions import Submissions, operation_statement, to_operation
from server.domain.operation import Operation, OperationLease, OperationState
from server.ports.operations import ClaimedOperation, QueueStatistics, Submission

if TYPE_CHECKING:
    from server.adapters.postgres.rows import Row


class PostgresOperations:
    """Implements both ports of `server.ports.operations`."""

    def __init__(self, database: Database, server_id: int | None = None) -> None:
        """`server_id` is under what this server is present, if it is."""
        self._database = database
        self._server_id = server_id
        self._submissions = Submissions(database)

    async def submit(self, submission: Submission) -> Operation:
        """See the port. Calls at one time share a statement and so a commit."""
        return await self._submissions.submit(submission)

    async def get(self, project_id: str, operation_id: UUID) -> Operation | None:
        """See the port."""
        row = await self._row("get", project_id, operation_id)
        return None if row is None else to_operation(row)

    async def accepted_digest(self, project_id: str, request_id: UUID) -> bytes | None:
        """See the port."""
        row = await self._row("find_by_request", project_id, request_id)
        return None if row is None else bytes(row["payload_digest"])

    async def list(
        self,
        project_id: str,
        states: Sequence[OperationState] | None,
        limit: int,
        before: UUID | None,
    ) -> list[Operation]:
        """See the port."""
        named = None if states is None else list(states)
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                operation_statement("list"), project_id, named, before, limit
            )
        return [to_operation(row) for row in rows]

    async def cancel(self, project_id: str, operation_id: UUID, error: bytes) -> bool:
        """See the port."""
        return await self._row("cancel", project_id, operation_id, error) is not None

    async def delete(self, project_id: str, operation_id: UUID) -> bool:
        """See the port."""
        return await self._row("delete", project_id, operation_id) is not None

    async def revive(self, project_id: str, operation_id: UUID) -> bool:
        """See the port."""
        return await self._row("revive", project_id, operation_id) is not None

    async def queue_statistics(self, project_id: str | None = None) -> QueueStatistics:
        """See the port."""
        row = await self._row("statistics", project_id)
        assert row is not None
        return QueueStatistics(row["queued"], row["running"], row["dead"], row["oldest_seconds"])

    async def claim(self, limit: int, duration: timedelta) -> Sequence[ClaimedOperation]:
        """See the port."""
        holder = uuid4()
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                operation_statement("claim"), limit, holder, duration, self._server_id
            )
        return [
            ClaimedOperation(
                project_id=row["project_id"],
                lease=OperationLease(row["operation_id"], holder),
                payload=row["payload"],
                correlation_id=row["correlation_id"],
                create_time=row["create_time"],
                attempts=row["attempts"],
                failures=row["failures"],
                age=row["age"],
                traceparent=row["traceparent"],
            )
            for row in rows
        ]

    async def renew(self, claimed: ClaimedOperation, duration: timedelta) -> bool:
        """See the port."""
        return await self._row("renew", *_held(claimed), duration) is not None

    async def give_back(
        self,
        claimed: ClaimedOperation,
        delay: timedelta,
        *,
        is_failure: bool,
        fault: str | None = None,
    ) -> bool:
        """See the port."""
        row = await self._row("give_back", *_held(claimed), delay, is_failure, fault)
        return row is not None

    async def succeed(self, claimed: ClaimedOperation, call_id: UUID) -> bool:
        """See the port."""
        return await self._row("succeed", *_held(claimed), call_id) is not None

    async def fail(self, claimed: ClaimedOperation, fault: str, error: bytes) -> bool:
        """See the port."""
        return await self._row("fail", *_held(claimed), fault, error) is not None

    async def prune(self, age: timedelta, limit: int) -> int:
        """See the port."""
        async with self._database.connection() as connection:
            return len(await connection.fetch(operation_statement("prune"), age, limit))

    async def release_request_ids(self, age: timedelta, limit: int) -> int:
        """See the port."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(operation_statement("release_request_ids"), age, limit)
        return len(rows)

    async def _row(self, statement: str, *values: object) -> Row | None:
        async with self._database.connection() as connection:
            return await connection.fetchrow(operation_statement(statement), *values)


def _held(claimed: ClaimedOperation) -> tuple[object, ...]:
    return claimed.project_id, claimed.lease.operation_id, claimed.lease.holder
