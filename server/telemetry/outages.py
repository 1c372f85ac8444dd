"""Logs outages of a dependency without filling the log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import structlog

SHORTEST_PAUSE_SECONDS: Final = 5.0
LONGEST_PAUSE_SECONDS: Final = 60.0


class OutageLog:
    """Logs the first failure, further failures after growing pauses, and the end of the outage.

    If an outage soon follows another, its pauses continue to grow, so that an intermittent
    dependency does not fill the log either. `began` and `ended` are the names of the events.
    """

    __slots__ = (
        "_began",
        "_ended",
        "_last_end",
        "_log",
        "_logged",
        "_monotonic",
        "_next",
        "_pause",
        "_since",
        "_unlogged",
    )

    def __init__(
        self,
        log: structlog.typing.FilteringBoundLogger | structlog.stdlib.BoundLogger,
        *,
        began: str,
        ended: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._began = began
        self._ended = ended
        self._monotonic = monotonic
        self._since: float | None = None
        self._last_end = -LONGEST_PAUSE_SECONDS
        self._next = 0.0
        self._pause = SHORTEST_PAUSE_SECONDS
        self._logged = False
        self._unlogged = 0

    def failed(self, **fields: object) -> None:
        """Records that the dependency did not answer; `fields` describe the failure."""
        now = self._monotonic()
        if self._since is None:
            self._begin(now)
        if now < self._next:
            self._unlogged += 1
            return
        self._log.warning(
            self._began, seconds=self._lasted(now), failures=self._unlogged + 1, **fields
        )
        self._logged, self._unlogged = True, 0
        self._next = now + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)

    def succeeded(self) -> None:
        """Records that the dependency answered. Costs almost nothing if it did so before."""
        if self._since is None:
            return
        now = self._monotonic()
        if self._logged:
            self._log.info(self._ended, seconds=self._lasted(now))
        self._since, self._logged, self._last_end = None, False, now

    def _begin(self, now: float) -> None:
        self._since = now
        if now - self._last_end >= LONGEST_PAUSE_SECONDS:
            self._next, self._pause = now, SHORTEST_PAUSE_SECONDS

    def _lasted(self, now: float) -> float:
        return round(now - (now if self._since is None else self._since), 3)
