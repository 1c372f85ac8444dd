"""How long to wait before the next attempt."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar

_MAX_DOUBLINGS = 16

Pause = TypeVar("Pause", float, timedelta)


def backoff(attempts: int, shortest: Pause, longest: Pause, chance: float) -> Pause:
    """Doubles with each attempt, from the shortest pause at the first up to the longest.

    Between half and all of that, by `chance` from 0 to 1, so that not all come back at once.
    """
    doublings = min(max(attempts - 1, 0), _MAX_DOUBLINGS)
    return min(shortest * (1 << doublings), longest) * (0.5 + chance / 2)
