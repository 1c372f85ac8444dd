"""Remembers every call with its outcome: acknowledged, refused, or unknown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

import grpc
from memoir.v1 import memory_service_pb2

from tests.support.errors import details_of


class Outcome(StrEnum):
    """What a client knows of a call. Of an unknown one the effect may be there or not."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"


# With these the server says that it did not even begin.
_REFUSALS = frozenset({"OVERLOADED", "RATE_LIMITED", "SHUTTING_DOWN"})


@dataclass
class Recorded:
    """One intent, sent once or more often, and what became of it."""

    request: memory_service_pb2.AddMemoriesRequest
    outcome: Outcome = Outcome.REFUSED
    memory_ids: frozenset[UUID] = frozenset()
    operation: str = ""

    @property
    def request_id(self) -> UUID:
        """Under which the effect is found."""
        return UUID(self.request.request_id)

    def acknowledge(self, response: memory_service_pb2.AddMemoriesResponse) -> None:
        """The call was answered.

        Raises:
            AssertionError: it was answered before, and otherwise.
        """
        if response.operation.name:
            self._accept(response.operation.name)
            return
        ids = frozenset(UUID(result.id) for result in response.results)
        if self.outcome is Outcome.ACKNOWLEDGED:
            assert ids == self.memory_ids, f"{self.request_id} was answered twice, differently"
        self.outcome, self.memory_ids = Outcome.ACKNOWLEDGED, ids

    def _accept(self, operation: str) -> None:
        if self.operation:
            assert operation == self.operation, f"{self.request_id} was accepted twice"
        self.outcome, self.operation = Outcome.ACKNOWLEDGED, operation

    def complete(self, response: memory_service_pb2.AddMemoriesResponse) -> None:
        """The operation of the call has ended with this."""
        self.memory_ids = frozenset(UUID(result.id) for result in response.results)

    def fail(self, reason: str | None) -> None:
        """The call was answered by an error with this reason, or, with None, not at all.

        What is known already stays known.
        """
        if self.outcome is Outcome.REFUSED and reason not in _REFUSALS:
            self.outcome = Outcome.UNKNOWN


def reason_of(error: grpc.aio.AioRpcError) -> str | None:
    """The service's reason; None if the error is gRPC's own."""
    trailers = dict(error.trailing_metadata() or ())
    return details_of(error).reason if "grpc-status-details-bin" in trailers else None


@dataclass
class Recorder:
    """All calls of a run."""

    calls: list[Recorded] = field(default_factory=list)

    def begin(self, request: memory_service_pb2.AddMemoriesRequest) -> Recorded:
        """Remembers a call that is about to be made."""
        recorded = Recorded(request)
        self.calls.append(recorded)
        return recorded

    def with_outcome(self, *outcomes: Outcome) -> Iterable[Recorded]:
        """The calls that ended so."""
        return [call for call in self.calls if call.outcome in outcomes]

    def summary(self) -> str:
        """How many calls ended how."""
        counts = {outcome: len(list(self.with_outcome(outcome))) for outcome in Outcome}
        return ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
