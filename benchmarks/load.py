"""A closed loop of callers, and its measurements."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

Call = Callable[[int], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Figures:
    """The results of one loop: calls per second over its whole length, and latencies in ms."""

    calls: int
    seconds: float
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @classmethod
    def of(cls, durations: Sequence[float], seconds: float) -> Figures:
        """Returns the figures of calls with these durations, in `seconds` altogether."""
        cuts = statistics.quantiles(durations, n=100)
        percentiles = (cuts[percent - 1] * 1000 for percent in (50, 95, 99))
        return cls(len(durations), seconds, *percentiles)

    @property
    def rate(self) -> float:
        """Calls per second."""
        return self.calls / self.seconds


async def closed_loop(call: Call, *, callers: int, calls: int) -> Figures:
    """Makes `calls` calls, `callers` at a time, each with its number, and times each of them."""
    numbers = iter(range(calls))
    durations: list[float] = []

    async def caller() -> None:
        for number in numbers:
            start = time.perf_counter()
            await call(number)
            durations.append(time.perf_counter() - start)

    start = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return Figures.of(durations, time.perf_counter() - start)


def median_by_rate(runs: list[Figures]) -> Figures:
    """Returns the median run."""
    return sorted(runs, key=lambda figures: figures.rate)[len(runs) // 2]
