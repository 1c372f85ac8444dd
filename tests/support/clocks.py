"""A monotonic clock for tests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class HandClock:
    """A clock that shows `now`, in seconds."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now
