"""Paces work on the event loop, so that streams and a busy tenant leave time for others."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

_SHARE: Final = 0.5
"""The share of the time for steps while others are waiting."""

_AT_ONCE_SECONDS: Final = 0.002
"""How long steps may take after a pause."""

_SAVED_SECONDS: Final = 0.02
"""How long steps may take if there were none for a while."""


class Pace:
    """Runs steps of work in the order of the requests, some turns of the event loop apart.

    They take at most half of the time, so that the loop has as much for everything else.
    """

    def __init__(self, turns: int = 1, worked: Callable[[], float] = time.thread_time) -> None:
        """`worked` returns the seconds for which this thread has worked so far."""
        self._turns = turns
        self._worked = worked
        self._began = 0.0
        self._left = _SAVED_SECONDS
        self._counted = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_busy = False

    async def step(self) -> None:
        """Waits for the caller's turn; its step then lasts until it waits again."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.append(turn)
        if not self._is_busy:
            self._is_busy = True
            loop.call_soon(self._go_on, loop)
        await turn

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._waiting:
            self._is_busy = False
            return
        # The loop runs these callbacks in order, so only the step is timed.
        loop.call_soon(self._begin)
        turn = self._waiting.popleft()
        if not turn.done():
            turn.set_result(None)
        loop.call_soon(self._end, loop)

    def _count(self, loop: asyncio.AbstractEventLoop, turns: int) -> None:
        if turns > 1:
            loop.call_soon(self._count, loop, turns - 1)
        else:
            loop.call_soon(self._go_on, loop)

    def _begin(self) -> None:
        self._began = self._worked()

    def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        allowed = self._left + (now - self._counted) * _SHARE
        self._left = min(allowed, _SAVED_SECONDS) - (self._worked() - self._began)
        self._counted = now
        if self._left > 0:
            self._count(loop, self._turns)
        else:
            loop.call_later((_AT_ONCE_SECONDS - self._left) / _SHARE, self._go_on, loop)


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
        # The tenant whose last step was longest ago comes first.
        self._paces: dict[str, Pace] = {}

    async def step(self, tenant: str) -> None:
        """Waits until a call of the tenant may take its next step."""
        pace = self._paces.pop(tenant, None) or Pace(TURNS_BETWEEN_STEPS)
        self._paces[tenant] = pace
        if len(self._paces) > _MOST_TENANTS:
            del self._paces[next(iter(self._paces))]
        await pace.step()
