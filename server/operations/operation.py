"""Asynchronous calls, as clients see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from server.memories.scope import Scope


class OperationState(StrEnum):
    """The state of an operation. The last three are final."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_done(self) -> bool:
        """Whether the state is final."""
        return self not in {OperationState.QUEUED, OperationState.RUNNING}


@dataclass(frozen=True, slots=True)
class OperationLease:
    """The right of `lease_id` to work on an operation, and to commit its effect."""

    operation_id: UUID
    lease_id: UUID


@dataclass(frozen=True, slots=True)
class Operation:
    """One asynchronous call.

    `call_id` is the call that had its effect, once it has succeeded. `error` is the encoded status
    if it failed or was cancelled. `fault` names the error of the last failed attempt. While the
    operation is queued, `next_attempt_time` is the earliest time of the next attempt.
    """

    id: UUID
    project_id: str
    scope: Scope
    state: OperationState
    output_format: str
    correlation_id: str
    attempts: int
    create_time: datetime
    start_time: datetime | None = None
    end_time: datetime | None = None
    next_attempt_time: datetime | None = None
    call_id: UUID | None = None
    fault: str | None = None
    error: bytes | None = None
