"""A monotonic clock for tests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class HandClock:
    """Stands still until `now`, in seconds, is set."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now
