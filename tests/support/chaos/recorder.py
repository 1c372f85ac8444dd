"""Records every call with its outcome: acknowledged, refused, or unknown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

import grpc
from memoir.v1 import memory_service_pb2

from tests.support.errors import details_of


class Outcome(StrEnum):
    """The outcome of a call as its client sees it. UNKNOWN: it may have taken effect or not."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"


# These reasons mean that the server did not start the work.
_REFUSALS = frozenset({"OVERLOADED", "RATE_LIMITED", "SHUTTING_DOWN"})


@dataclass
class Recorded:
    """A request, sent once or repeatedly, and its outcome."""

    request: memory_service_pb2.AddMemoriesRequest
    outcome: Outcome = Outcome.REFUSED
    memory_ids: frozenset[UUID] = frozenset()
    operation: str = ""

    @property
    def request_id(self) -> UUID:
        """Returns the id under which the effect is stored."""
        return UUID(self.request.request_id)

    def acknowledge(self, response: memory_service_pb2.AddMemoriesResponse) -> None:
        """Records an answer.

        Raises:
            AssertionError: an earlier answer differs.
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
        """Records the response with which the operation of the call ended."""
        self.memory_ids = frozenset(UUID(result.id) for result in response.results)

    def fail(self, reason: str | None) -> None:
        """Records an error with this reason, or, with None, that there was no answer.

        A known outcome stays.
        """
        if self.outcome is Outcome.REFUSED and reason not in _REFUSALS:
            self.outcome = Outcome.UNKNOWN


def reason_of(error: grpc.aio.AioRpcError) -> str | None:
    """Returns the service's reason, or None if the error is gRPC's own."""
    trailers = dict(error.trailing_metadata() or ())
    return details_of(error).reason if "grpc-status-details-bin" in trailers else None


@dataclass
class Recorder:
    """The calls of a run."""

    calls: list[Recorded] = field(default_factory=list)

    def begin(self, request: memory_service_pb2.AddMemoriesRequest) -> Recorded:
        """Records a call that is about to be sent."""
        recorded = Recorded(request)
        self.calls.append(recorded)
        return recorded

    def with_outcome(self, *outcomes: Outcome) -> Iterable[Recorded]:
        """Returns the calls with one of these outcomes."""
        return [call for call in self.calls if call.outcome in outcomes]

    def summary(self) -> str:
        """Returns the number of calls by outcome."""
        counts = {outcome: len(list(self.with_outcome(outcome))) for outcome in Outcome}
        return ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
