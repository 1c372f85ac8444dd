"""Finding what one request left behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from server.domain.memory import EventType
from server.domain.operation import OperationState


@dataclass(frozen=True, slots=True)
class TracedCall:
    """A call that was stored. Tokens are None where no language model took part."""

    project_id: str
    call_id: UUID
    method: str
    time: datetime
    request_id: UUID | None
    embedding_model: str
    language_model: str | None
    input_tokens: int | None
    output_tokens: int | None
    messages: int


@dataclass(frozen=True, slots=True)
class TracedChange:
    """A memory that a call changed. `in_graph` tells whether the graph holds that change.

    `fault` says why the graph refused it, if it did; `given_up` that it is not tried again.
    """

    project_id: str
    call_id: UUID
    memory_id: UUID
    type: EventType
    version: int
    time: datetime
    in_graph: bool
    given_up: bool
    fault: str | None


@dataclass(frozen=True, slots=True)
class TracedOperation:
    """An asynchronous call."""

    project_id: str
    operation_id: UUID
    state: OperationState
    attempts: int
    create_time: datetime
    start_time: datetime | None
    end_time: datetime | None
    fault: str | None


@dataclass(frozen=True, slots=True)
class RequestTrace:
    """Everything that is stored under one correlation id, oldest first."""

    calls: Sequence[TracedCall]
    changes: Sequence[TracedChange]
    operations: Sequence[TracedOperation]


class RequestTraces(Protocol):
    """What the store holds under correlation ids: for operators, over all projects."""

    async def find(self, correlation_id: str, project_id: str | None = None) -> RequestTrace:
        """What is stored under the id, in one project or all.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        ...
