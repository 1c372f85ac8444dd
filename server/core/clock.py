"""The current time, and how long to wait before the next attempt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar


class Clock(Protocol):
    """Provides the current time."""

    def now(self) -> datetime:
        """Returns the current time as an aware datetime in UTC."""
        ...


class SystemClock:
    """Implements `server.core.clock.Clock`."""

    def now(self) -> datetime:
        """Returns the current time in UTC."""
        return datetime.now(UTC)


_MAX_DOUBLINGS = 16

Pause = TypeVar("Pause", float, timedelta)


def backoff(attempts: int, shortest: Pause, longest: Pause, chance: float) -> Pause:
    """Returns the pause after an attempt: it doubles each time, from `shortest` up to `longest`.

    `chance`, from 0 to 1, picks a point between half of that pause and all of it, so that clients
    do not retry at the same moment.
    """
    doublings = min(max(attempts - 1, 0), _MAX_DOUBLINGS)
    return min(shortest * (1 << doublings), longest) * (0.5 + chance / 2)
