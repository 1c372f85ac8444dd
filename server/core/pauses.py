"""Pauses of background work: until it is woken, and after a failure."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar


class Wakeup:
    """Ends the wait of a worker that polls, because there may be something to do.

    A worker calls `clear` before it looks for work, so that no later work is missed.
    """

    def __init__(self, poll_interval: timedelta) -> None:
        self._seconds = poll_interval.total_seconds()
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wakes the worker, now or when it waits next."""
        self._event.set()

    @property
    def is_set(self) -> bool:
        """Whether the worker was woken since it last called `clear`. Any thread may ask."""
        return self._event.is_set()

    def clear(self) -> None:
        """Forgets earlier calls of `set`."""
        self._event.clear()

    async def wait(self) -> None:
        """Waits until it is woken or the next poll is due."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._seconds):
                await self._event.wait()


_MAX_DOUBLINGS = 16
Pause = TypeVar("Pause", float, timedelta)


def backoff(attempts: int, shortest: Pause, longest: Pause, jitter: float) -> Pause:
    """Returns the pause after an attempt: it doubles each time, from `shortest` up to `longest`.

    `jitter`, from 0 to 1, picks a point between half of that pause and all of it, so that clients
    do not retry at the same moment.
    """
    doublings = min(max(attempts - 1, 0), _MAX_DOUBLINGS)
    return min(shortest * (1 << doublings), longest) * (0.5 + jitter / 2)
