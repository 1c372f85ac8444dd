"""Lets work of one kind take a part of the event loop's time, so that calls go on beside it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

STEPS: Final = 16
"""The most steps that are made in a row, with nothing else in between."""

_SHARE: Final = 0.5
"""The part of the time that steps may take as long as more of them are wanted."""

_AT_ONCE_SECONDS: Final = 0.002
"""How long steps may take before the first rest, and after each."""


class Pace:
    """Lets steps of work be made in the order in which they were asked for.

    They take half of the time at most, so that the loop has as much for everything else.
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
        """Waits for the caller's turn; the step is what it does then until it next waits."""
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
        # The loop calls what was called soon in this order, so only the steps are timed.
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
