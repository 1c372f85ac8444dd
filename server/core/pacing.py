"""Paces work on the event loop, so that streams and a busy tenant leave time for others."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

STEPS: Final = 16
"""The maximum number of consecutive steps without other work in between."""

_SHARE: Final = 0.5
"""The share of the time for steps while others are waiting."""

_AT_ONCE_SECONDS: Final = 0.002
"""How long steps may take before the first pause, and after each pause."""


class Pace:
    """Runs steps of work in the order of the requests.

    They take at most half of the time, so that the loop has as much for everything else.
    """

    def __init__(self, worked: Callable[[], float] = time.thread_time) -> None:
        """`worked` returns the seconds for which this thread has worked so far."""
        self._worked = worked
        self._began = 0.0
        self._left = _AT_ONCE_SECONDS
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
        # The loop runs these callbacks in order, so only the steps are timed.
        loop.call_soon(self._begin)
        for _ in range(min(STEPS, len(self._waiting))):
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
        loop.call_soon(self._end, loop)

    def _begin(self) -> None:
        self._began = self._worked()

    def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        allowed = self._left + (now - self._counted) * _SHARE
        self._left = min(allowed, _AT_ONCE_SECONDS) - (self._worked() - self._began)
        self._counted = now
        if self._left > 0:
            loop.call_soon(self._go_on, loop)
        else:
            loop.call_later((_AT_ONCE_SECONDS - self._left) / _SHARE, self._go_on, loop)


TURNS_BETWEEN_STARTS: Final = 16
"""gRPC accepts one call of a method in about five turns of the event loop."""


class SpacedStarts:
    """Lets the calls of a tenant begin one by one, some turns of the event loop apart.

    In each turn, the loop runs a step of every call that can continue, but accepts a new call only
    every few turns. With many calls in progress, turns are long, and a new call of another tenant
    would wait for all calls of the busy tenant.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        """The waiting calls of the tenants of which a call just began."""

    async def start(self, tenant: str) -> None:
        """Waits until a call of the tenant may begin: immediately, unless another just began."""
        loop = asyncio.get_running_loop()
        waiting = self._waiting.get(tenant)
        if waiting is None:
            self._waiting[tenant] = deque()
            self._count(loop, tenant, TURNS_BETWEEN_STARTS)
        else:
            turn = loop.create_future()
            waiting.append(turn)
            await turn

    def _count(self, loop: asyncio.AbstractEventLoop, tenant: str, turns: int) -> None:
        if turns:
            loop.call_soon(self._count, loop, tenant, turns - 1)
        elif self._start_next(tenant):
            self._count(loop, tenant, TURNS_BETWEEN_STARTS)
        else:
            del self._waiting[tenant]

    def _start_next(self, tenant: str) -> bool:
        waiting = self._waiting[tenant]
        while waiting:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return True
        return False
