"""Paces work on the event loop, so that streams and a busy tenant leave time for others.

After two milliseconds of steps, further steps of the same work wait until the loop has nothing else
to do. They wait at most until it has worked on other things for as long as the steps took.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_AT_ONCE_SECONDS: Final = 0.002
"""How long steps may take before they pause."""

_IDLE_SECONDS: Final = 0.0002
"""The loop is idle after this long without work, in which gRPC could have handed over a call."""

_EMPTY_TURN_SECONDS: Final = 0.00002
"""A turn of the loop that takes less had no work to do."""

Seconds = Callable[[], float]


@dataclass(frozen=True, slots=True)
class _Pause:
    until: float
    end: Callable[[], None]


class Pauses:
    """Ends pauses when the loop is idle or has worked enough on other things.

    It looks in every turn while there are pauses, because timers are accurate to a millisecond, in
    which an idle loop could have done work.
    """

    def __init__(
        self, worked: Seconds = time.thread_time, monotonic: Seconds = time.monotonic
    ) -> None:
        """`worked` returns the seconds for which this thread has worked so far."""
        self._worked = worked
        self._monotonic = monotonic
        self._pauses: list[_Pause] = []
        self._last_worked = 0.0
        self._idle_since = 0.0

    def begin(self, seconds: float, end: Callable[[], None]) -> None:
        """Calls `end` when the loop has worked for `seconds`, or is idle."""
        if not self._pauses:
            self._last_worked, self._idle_since = self._worked(), self._monotonic()
            asyncio.get_running_loop().call_soon(self._end_due)
        self._pauses.append(_Pause(self._worked() + seconds, end))

    def _end_due(self) -> None:
        worked, now = self._worked(), self._monotonic()
        if worked - self._last_worked > _EMPTY_TURN_SECONDS:
            self._idle_since = now
        self._last_worked = worked
        is_idle = now - self._idle_since >= _IDLE_SECONDS
        pauses, self._pauses = self._pauses, []
        for pause in pauses:
            if is_idle or pause.until <= worked:
                pause.end()
            else:
                self._pauses.append(pause)
        if self._pauses:
            asyncio.get_running_loop().call_soon(self._end_due)


class Pace:
    """Runs steps of work in the order of the requests, some turns of the event loop apart."""

    def __init__(
        self,
        turns: int = 1,
        pauses: Pauses | None = None,
        worked: Seconds = time.thread_time,
        monotonic: Seconds = time.monotonic,
    ) -> None:
        """`worked` returns the seconds for which this thread has worked so far."""
        self._turns = turns
        self._pauses = pauses or Pauses(worked, monotonic)
        self._worked = worked
        self._monotonic = monotonic
        self._began = 0.0
        self._ended = 0.0
        self._left = _AT_ONCE_SECONDS
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_busy = False

    async def step(self) -> None:
        """Waits for the caller's turn; its step then lasts until it waits again."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.append(turn)
        if not self._is_busy:
            self._is_busy = True
            loop.call_soon(self._next_step)
        await turn

    def _next_step(self) -> None:
        if not self._waiting:
            self._is_busy = False
            return
        loop = asyncio.get_running_loop()
        # The loop runs these callbacks in order, so only the step is timed.
        loop.call_soon(self._begin)
        turn = self._waiting.popleft()
        if not turn.done():
            turn.set_result(None)
        loop.call_soon(self._end)

    def _begin(self) -> None:
        self._left = min(self._left + self._monotonic() - self._ended, _AT_ONCE_SECONDS)
        self._began = self._worked()

    def _end(self) -> None:
        self._left -= self._worked() - self._began
        self._ended = self._monotonic()
        if self._left > 0:
            self._count(self._turns)
        else:
            self._pauses.begin(_AT_ONCE_SECONDS - self._left, self._resume)

    def _count(self, turns: int) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(self._count, turns - 1)
        else:
            self._next_step()

    def _resume(self) -> None:
        self._left = _AT_ONCE_SECONDS
        self._next_step()


TURNS_BETWEEN_STEPS: Final = 8
"""gRPC accepts a call in about five turns of the event loop; most calls have two steps."""

_MOST_TENANTS: Final = 10_000
"""With more tenants, those without steps for the longest time are forgotten."""


class Paces:
    """The pace of each tenant.

    gRPC accepts a call in about five turns of the event loop, and each turn lasts as long as all
    steps in it. Without a pace, a busy tenant's steps would make the turns so long that new calls
    of other tenants wait on the wire behind all calls of the busy tenant.
    """

    def __init__(self) -> None:
        self._pauses = Pauses()
        # The tenant whose last step was longest ago comes first.
        self._paces: dict[str, Pace] = {}

    async def step(self, tenant: str) -> None:
        """Waits until a call of the tenant may take its next step."""
        pace = self._paces.pop(tenant, None) or Pace(TURNS_BETWEEN_STEPS, self._pauses)
        self._paces[tenant] = pace
        if len(self._paces) > _MOST_TENANTS:
            del self._paces[next(iter(self._paces))]
        await pace.step()
