"""Keeping asynchronous calls, and handing them out to whoever works on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from server.domain.operation import Operation, OperationLease, OperationState
from server.domain.scope import Scope


@dataclass(frozen=True, slots=True)
class Submission:
    """A call to be done later. `payload` is the request, opaque to everyone but who encoded it.

    `traceparent` is the place in its trace of the call that asks for it.
    """

    id: UUID
    project_id: str
    scope: Scope
    payload: bytes
    output_format: str
    correlation_id: str
    request_id: UUID | None = None
    payload_digest: bytes = b""
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimedOperation:
    """An operation in the hands of a worker, by `lease`.

    `failures` are the attempts that speak against the call itself, this one included. `traceparent`
    is that of the submission.
    """

    project_id: str
    lease: OperationLease
    payload: bytes
    correlation_id: str
    create_time: datetime
    attempts: int
    failures: int
    age: timedelta
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    """How many operations wait, run and were given up; the age in seconds of the oldest undone."""

    queued: int
    running: int
    dead: int
    oldest_seconds: float


class Operations(Protocol):
    """The operations of a project.

    Every method raises StoreUnavailable where PostgreSQL cannot be reached or refuses work.
    """

    async def submit(self, submission: Submission) -> Operation:
        """Keeps a call durably; with a `request_id` that came before, answers the one of then.

        Raises:
            RequestIdReused: the request id came before with another payload.
        """
        ...

    async def get(self, project_id: str, operation_id: UUID) -> Operation | None:
        """The operation, if there is one."""
        ...

    async def accepted_digest(self, project_id: str, request_id: UUID) -> bytes | None:
        """The payload's digest of the operation that came with `request_id`, if there is one."""
        ...

    async def list(
        self,
        project_id: str,
        states: Sequence[OperationState] | None,
        limit: int,
        before: UUID | None,
    ) -> list[Operation]:
        """The newest first, of these states, older than `before`."""
        ...

    async def cancel(self, project_id: str, operation_id: UUID, error: bytes) -> bool:
        """Ends an operation that is not done, whatever is worked on it; whether it did."""
        ...

    async def delete(self, project_id: str, operation_id: UUID) -> bool:
        """Forgets an operation that is done; whether it did."""
        ...

    async def revive(self, project_id: str, operation_id: UUID) -> bool:
        """Queues an operation that failed once more; whether it did."""
        ...

    async def queue_statistics(self, project_id: str | None = None) -> QueueStatistics:
        """What waits, of one project or of all."""
        ...


class OperationQueue(Protocol):
    """Operations as workers of any server see them.

    What needs a lease does nothing, and answers False, when the lease is another's by now or the
    operation was cancelled. Every method raises StoreUnavailable.
    """

    async def claim(self, limit: int, duration: timedelta) -> Sequence[ClaimedOperation]:
        """The oldest undone ones of their scopes that are free, at most `limit`, leased.

        One of which the lease ran out is free. Every claim counts as an attempt and as a failure.
        """
        ...

    async def renew(self, claimed: ClaimedOperation, duration: timedelta) -> bool:
        """Lets the lease last this long from now."""
        ...

    async def give_back(
        self,
        claimed: ClaimedOperation,
        delay: timedelta,
        *,
        is_failure: bool,
        fault: str | None = None,
    ) -> bool:
        """Lets the operation be claimed again after `delay`."""
        ...

    async def succeed(self, claimed: ClaimedOperation, call_id: UUID) -> bool:
        """Ends the operation with the effect that another call had."""
        ...

    async def fail(self, claimed: ClaimedOperation, fault: str, error: bytes) -> bool:
        """Ends the operation with an error."""
        ...

    async def prune(self, age: timedelta, limit: int) -> int:
        """Forgets operations that were done this long ago, at most `limit`; how many."""
        ...

    async def release_request_ids(self, age: timedelta, limit: int) -> int:
        """Lets request ids of calls of any kind, this old, be used again; how many, up to `limit`.

        The calls themselves stay.
        """
        ...
