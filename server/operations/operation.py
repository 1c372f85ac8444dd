"""Asynchronous calls as clients see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from server.memories.scope import Scope


class OperationState(StrEnum):
    """Where an operation is. The last three are final."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_done(self) -> bool:
        """Whether nothing will happen any more."""
        return self not in {OperationState.QUEUED, OperationState.RUNNING}


@dataclass(frozen=True, slots=True)
class OperationLease:
    """The right of `lease_id` to work on an operation, and to commit what it does."""

    operation_id: UUID
    lease_id: UUID


@dataclass(frozen=True, slots=True)
class Operation:
    """One asynchronous call.

    `call_id` is the call with its effect, once it has succeeded; `error` the encoded status of one
    that failed or was cancelled. `fault` names what the last attempt failed with. While it is
    queued, `next_attempt_time` is when it is tried at the earliest.
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
