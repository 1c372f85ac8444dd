"""The context of a call for all of its steps: correlation id, deadline, trace, origin and place.

Project and scope, which decide what a call may access, are passed explicitly. The project is also
here, for a single use: the store passes it to PostgreSQL for row-level security.

The transport limits the number of concurrent calls and gives each of them a place. A call that only
waits, perhaps for seconds, uses no scarce resource and must not lock out others. Code that begins
such a wait therefore parks the call, which frees its place until the wait is over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from server.core.errors import DeadlineExceeded


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One call's correlation id, and its deadline on the clock of `time.monotonic()`.

    `traceparent` is the call's place in its trace (https://www.w3.org/TR/trace-context/), stored
    with work that is done later for the call; None if it has no trace.
    """

    correlation_id: str
    deadline: float
    traceparent: str | None = None

    def until(self, deadline: float) -> RequestContext:
        """Returns the context of the same call with another deadline."""
        return RequestContext(self.correlation_id, deadline, self.traceparent)

    def remaining(self) -> float:
        """Returns the seconds left.

        Raises:
            DeadlineExceeded: none are left.
        """
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise DeadlineExceeded
        return seconds


_BACKGROUND = RequestContext(correlation_id="background", deadline=float("inf"))
_current: ContextVar[RequestContext] = ContextVar("request_context", default=_BACKGROUND)


def current_request() -> RequestContext:
    """Returns the context of the current task's call, or an unbounded one outside a call."""
    return _current.get()


def enter_request(context: RequestContext) -> None:
    """Makes `context` the context of the current task and of the tasks that it starts."""
    _current.set(context)


@dataclass(frozen=True, slots=True)
class Origin:
    """Who made a call, for the record only: it never decides what a call may do.

    `key_id` is the id of the API key, `peer` the client's address as gRPC writes it, such as
    `ipv4:10.0.0.7:50312`. Both are None for the service's own work.
    """

    key_id: str | None = None
    peer: str | None = None


NOBODY: Final = Origin()
"""The origin of the service's own work."""

_origin: ContextVar[Origin] = ContextVar("origin", default=NOBODY)


def current_origin() -> Origin:
    """Returns who made the current task's call."""
    return _origin.get()


def enter_origin(origin: Origin) -> None:
    """Makes `origin` the origin of the current task and of the tasks that it starts."""
    _origin.set(origin)


_project: ContextVar[str | None] = ContextVar("project", default=None)


def current_project() -> str | None:
    """Returns the project of the current task; None if it works for several projects."""
    return _project.get()


def enter_project(project_id: str) -> None:
    """Makes `project_id` the project of the current task and of the tasks that it starts."""
    _project.set(project_id)


def bounded(seconds: float) -> float:
    """Returns `seconds`, or the seconds that the current call has left if those are fewer.

    Raises:
        DeadlineExceeded: nothing is left.
    """
    return min(seconds, current_request().remaining())


class Place(Protocol):
    """The place of a call among the calls that may run concurrently."""

    @property
    def tenant(self) -> str:
        """The project or organization whose share of the server's capacity the call uses."""
        ...

    def vacate(self) -> None:
        """Frees the place. Concurrent parts of the call may call it again before `retake`."""
        ...

    async def retake(self) -> None:
        """Waits for a place again, unless another part of the call is still parked."""
        ...

    def forgo(self) -> None:
        """Ends the wait without taking a place again."""
        ...

    async def take_turn(self) -> None:
        """Waits for the call's turn among the calls of its tenant that can go on now."""
        ...


TenantTurn: TypeAlias = Callable[[str], Awaitable[None]]
"""Waits until work of a tenant may take its next step."""


async def at_once(_tenant: str) -> None:
    """Lets work go on without a turn."""


@dataclass(frozen=True, slots=True)
class BackgroundPlace:
    """Implements `Place` for work done later for a tenant.

    It uses the tenant's share of connections and the like, and waits for the tenant's turns by
    `turn`, but is not admitted as a call, so parking it frees nothing.
    """

    tenant: str
    turn: TenantTurn = at_once

    def vacate(self) -> None:
        """See the port."""

    async def retake(self) -> None:
        """See the port."""

    def forgo(self) -> None:
        """See the port."""

    async def take_turn(self) -> None:
        """See the port."""
        await self.turn(self.tenant)


_place: ContextVar[Place | None] = ContextVar("place", default=None)


def enter_place(place: Place) -> None:
    """Makes `place` the place of the current task and of the tasks that it starts."""
    _place.set(place)


def current_tenant() -> str | None:
    """Returns the tenant whose share is used; None for the service's own work."""
    place = _place.get()
    return None if place is None else place.tenant


async def take_turn() -> None:
    """Waits for the call's turn, after a wait that ended for many calls at once."""
    place = _place.get()
    if place is not None:
        await place.take_turn()


@asynccontextmanager
async def parked() -> AsyncIterator[None]:
    """Frees the call's place during the block; does nothing in background work, which has none.

    A cancelled block does not retake the place, because only clean-up remains.
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
