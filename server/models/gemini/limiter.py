"""How many requests may run at once, learned from what the provider accepts."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

FIRST_LIMIT = 16

CallLater = Callable[[float, Callable[[], None]], object]


class AdaptiveLimiter:
    """A limit that grows while requests succeed and halves when the provider refuses one.

    It begins at `first`. Each success adds one until the first refusal, so the limit doubles with
    every round; after that each round adds one. A success counts only if the limit was reached
    while the request was under way, because one that is not used says nothing. The limit stays
    between 1 and `most`. Whoever waits is let in by order of arrival.

    Sources of the rules: Chiu and Jain, "Analysis of the Increase and Decrease Algorithms for
    Congestion Avoidance in Computer Networks", 1989; RFC 5681, section 3.1 (slow start); RFC 7661
    (no growth of a window that is not used).
    """

    def __init__(
        self,
        most: int,
        *,
        first: int = FIRST_LIMIT,
        monotonic: Callable[[], float] = time.monotonic,
        call_later: CallLater | None = None,
    ) -> None:
        self._most = float(most)
        self._limit = float(min(first, most))
        # Up to here each success adds one.
        self._threshold = float(most)
        self._monotonic = monotonic
        self._call_later = call_later or _by_the_loop
        self._held_until = 0.0
        self._busy = 0
        # Requests are numbered as they are let in; the last one that filled the limit is kept.
        self._let_in_count = 0
        self._last_to_fill = 0
        # Requests that began before the last decrease tell nothing about the limit after it.
        self._epoch = 0
        self._waiting: deque[asyncio.Future[int]] = deque()

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

    @property
    def held_for(self) -> float:
        """For how many more seconds no request is let in, because the provider asked for that."""
        return max(0.0, self._held_until - self._monotonic())

    def hold(self, delay: timedelta) -> None:
        """Lets no request in for so long."""
        until = self._monotonic() + delay.total_seconds()
        if until > self._held_until:
            self._held_until = until
            self._call_later(delay.total_seconds(), self._end_hold)

    def _end_hold(self) -> None:
        if rest := self.held_for:
            # The hold was made longer, or the timer was early.
            self._call_later(rest, self._end_hold)
        else:
            self._let_in()

    @asynccontextmanager
    async def slot(self, refused: Callable[[Exception], bool]) -> AsyncIterator[None]:
        """Waits for a place among the requests under way and takes it for the block.

        `refused` tells of an exception of the block whether the provider had too many requests.
        """
        number = await self._enter()
        epoch = self._epoch
        try:
            yield
            if self._last_to_fill >= number:
                self._grow()
        except Exception as error:
            if epoch == self._epoch and refused(error):
                self._shrink()
            raise
        finally:
            self._busy -= 1
            self._let_in()

    async def _enter(self) -> int:
        """Waits for a place; the number of the request that takes it."""
        if not self._waiting and self._has_room():
            return self._take_place()
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                # It was let in and cancelled in one moment: the place is the next one's.
                self._busy -= 1
                self._let_in()
            raise

    def _has_room(self) -> bool:
        return self._busy < self.limit and not self.held_for

    def _let_in(self) -> None:
        while self._waiting and self._has_room():
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(self._take_place())

    def _take_place(self) -> int:
        self._busy += 1
        self._let_in_count += 1
        if self._busy >= self.limit:
            self._last_to_fill = self._let_in_count
        return self._let_in_count

    def _grow(self) -> None:
        step = 1.0 if self._limit < self._threshold else 1.0 / self._limit
        self._limit = min(self._most, self._limit + step)

    def _shrink(self) -> None:
        self._limit = self._threshold = max(1.0, self._limit / 2.0)
        self._epoch += 1


def _by_the_loop(delay: float, callback: Callable[[], None]) -> object:
    return asyncio.get_running_loop().call_later(delay, callback)
