"""Limits concurrent requests, and adapts the limit to what the provider accepts."""

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
    during the request, because an unused limit proves nothing. The limit stays between 1 and
    `most`. Waiting requests are admitted in order of arrival.

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
        # Up to this limit, each success adds one.
        self._threshold = float(most)
        self._monotonic = monotonic
        self._call_later = call_later or _loop_call_later
        self._paused_until = 0.0
        self._busy = 0
        # Requests are numbered when admitted; `_last_to_fill` is the last that filled the limit.
        self._admitted_count = 0
        self._last_to_fill = 0
        # Refusals of requests that began before the last decrease do not count.
        self._epoch = 0
        self._waiting: deque[asyncio.Future[int]] = deque()

    @property
    def limit(self) -> int:
        """The maximum number of concurrent requests."""
        return int(self._limit)

    @property
    def busy(self) -> int:
        """The number of running requests."""
        return self._busy

    @property
    def waiting(self) -> int:
        """The number of waiting requests."""
        return len(self._waiting)

    @property
    def pause_remaining(self) -> float:
        """How long no request is admitted, because the provider asked for a pause; in seconds."""
        return max(0.0, self._paused_until - self._monotonic())

    def pause(self, delay: timedelta) -> None:
        """Admits no request for this time."""
        until = self._monotonic() + delay.total_seconds()
        if until > self._paused_until:
            self._paused_until = until
            self._call_later(delay.total_seconds(), self._end_pause)

    def _end_pause(self) -> None:
        if remaining := self.pause_remaining:
            # The pause was extended, or the timer was early.
            self._call_later(remaining, self._end_pause)
        else:
            self._admit()

    @asynccontextmanager
    async def slot(self, refused: Callable[[Exception], bool]) -> AsyncIterator[None]:
        """Waits for a place among the running requests, and holds it during the block.

        `refused` decides whether an exception of the block means too many requests.
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
            self._admit()

    async def _enter(self) -> int:
        """Waits for a place, and returns the number of the request."""
        if not self._waiting and self._has_room():
            return self._take_place()
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                # Admitted and cancelled at the same time: the place goes to the next one.
                self._busy -= 1
                self._admit()
            raise

    def _has_room(self) -> bool:
        return self._busy < self.limit and not self.pause_remaining

    def _admit(self) -> None:
        while self._waiting and self._has_room():
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(self._take_place())

    def _take_place(self) -> int:
        self._busy += 1
        self._admitted_count += 1
        if self._busy >= self.limit:
            self._last_to_fill = self._admitted_count
        return self._admitted_count

    def _grow(self) -> None:
        step = 1.0 if self._limit < self._threshold else 1.0 / self._limit
        self._limit = min(self._most, self._limit + step)

    def _shrink(self) -> None:
        self._limit = self._threshold = max(1.0, self._limit / 2.0)
        self._epoch += 1


def _loop_call_later(delay: float, callback: Callable[[], None]) -> object:
    return asyncio.get_running_loop().call_later(delay, callback)
