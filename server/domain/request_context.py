"""What every step of one call needs to know about it: its correlation id, deadline and trace.

Identity is deliberately not here: project and scope are always passed explicitly.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass

from server.domain.errors import DeadlineExceeded


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One call's correlation id, and its deadline on the clock of `time.monotonic()`.

    `traceparent` is the call's place in its trace (https://www.w3.org/TR/trace-context/), kept with
    what is done later for the call; None where it has none.
    """

    correlation_id: str
    deadline: float
    traceparent: str | None = None

    def until(self, deadline: float) -> RequestContext:
        """The same call with another deadline."""
        return RequestContext(self.correlation_id, deadline, self.traceparent)

    def remaining(self) -> float:
        """Seconds left.

        Raises:
            DeadlineExceeded: none are.
        """
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise DeadlineExceeded
        return seconds


_BACKGROUND = RequestContext(correlation_id="background", deadline=float("inf"))
_current: ContextVar[RequestContext] = ContextVar("request_context", default=_BACKGROUND)


def current_request() -> RequestContext:
    """The context of the call that this task works for; outside of one, an unbounded one."""
    return _current.get()


def enter_request(context: RequestContext) -> None:
    """Makes `context` the one of the current task and the tasks that it starts."""
    _current.set(context)


def bounded(seconds: float) -> float:
    """The smaller of `seconds` and what is left of the current call.

    Raises:
        DeadlineExceeded: nothing is left.
    """
    return min(seconds, current_request().remaining())
