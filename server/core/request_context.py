"""What every step of one call needs to know: correlation id, deadline, trace, and its waits.

Identity is deliberately not here: project and scope are always passed explicitly.

A call that waits like this for a second holds nothing scarce, so it must not keep others out. The
transport gives each call a place among those that work; whoever begins such a wait parks the call,
which frees its place until the wait is over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from server.core.errors import DeadlineExceeded


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


class Place(Protocol):
    """The place of one call among those that work."""

    def vacate(self) -> None:
        """Frees the place. May be called again before `retake`, by a part of the call beside."""
        ...

    async def retake(self) -> None:
        """Waits for a place again, unless another part of the call is still parked."""
        ...

    def forgo(self) -> None:
        """Ends the wait without taking a place again."""
        ...


_place: ContextVar[Place | None] = ContextVar("place", default=None)


def enter_place(place: Place) -> None:
    """Makes `place` that of the current task and of the tasks that it starts."""
    _place.set(place)


@asynccontextmanager
async def parked() -> AsyncIterator[None]:
    """Frees the call's place for the block. Without a place, in background work, it does nothing.

    A block that is cancelled takes no place again: what is left of the call is cleaning up.
    """
    place = _place.get()
    if place is None:
        yield
        return
    place.vacate()
    try:
        yield
    except asyncio.CancelledError:
        place.forgo()
        raise
    except BaseException:
        await place.retake()
        raise
    else:
        await place.retake()
