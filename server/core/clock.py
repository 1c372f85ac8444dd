"""The time of day, and how long to wait before the next attempt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...


class SystemClock:
    """Implements `server.core.clock.Clock`."""

    def now(self) -> datetime:
        """The present instant in UTC."""
        return datetime.now(UTC)


_MAX_DOUBLINGS = 16

Pause = TypeVar("Pause", float, timedelta)


def backoff(attempts: int, shortest: Pause, longest: Pause, chance: float) -> Pause:
    """Doubles with each attempt, from the shortest pause at the first up to the longest.

    Between half and all of that, by `chance` from 0 to 1, so that not all come back at once.
    """
    doublings = min(max(attempts - 1, 0), _MAX_DOUBLINGS)
    return min(shortest * (1 << doublings), longest) * (0.5 + chance / 2)
