"""How many requests may be under way at once, learned from what the provider bears."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class AdaptiveLimiter:
    """A limit that grows by one for each round of successes and halves on overload (AIMD).

    It stays between 1 and `most`, where it begins. Whoever waits is let in by order of arrival.
    Source of the rule: Chiu and Jain, "Analysis of the Increase and Decrease Algorithms for
    Congestion Avoidance in Computer Networks", 1989.
    """

    def __init__(self, most: int, is_overload: Callable[[Exception], bool]) -> None:
        self._most = float(most)
        self._limit = float(most)
        self._is_overload = is_overload
        self._busy = 0
        # Requests that began before the last decrease tell nothing about the limit after it.
        self._epoch = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> int:
        """How many requests may be under way now."""
        return int(self._limit)

    @property
    def busy(self) -> int:
        """How many requests are under way."""
        return self._busy

    @property
    def waiting(self) -> int:
        """How many requests wait for a place."""
        return len(self._waiting)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Waits for a place among the requests under way and takes it for the block."""
        await self._enter()
        epoch = self._epoch
        try:
            yield
            self._grow()
        except Exception as error:
            if self._is_overload(error) and epoch == self._epoch:
                self._shrink()
            raise
        finally:
            self._leave()

    async def _enter(self) -> None:
        if not self._waiting and self._busy < self.limit:
            self._busy += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                # It was let in and cancelled in one moment: the place is the next one's.
                self._leave()
            raise

    def _leave(self) -> None:
        self._busy -= 1
        while self._waiting and self._busy < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self._busy += 1
                turn.set_result(None)

    def _grow(self) -> None:
        self._limit = min(self._most, self._limit + 1.0 / self._limit)

    def _shrink(self) -> None:
        self._limit = max(1.0, self._limit / 2.0)
        self._epoch += 1
