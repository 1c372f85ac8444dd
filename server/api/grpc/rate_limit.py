"""Limits how often each project calls, by token buckets."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from cachetools import LRUCache

from server.core.transient_errors import RateLimited
from server.telemetry.metrics import ADMISSION_REFUSALS

MOST_PROJECTS = 100_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: float


class RateLimiter:
    """A token bucket for each project: `burst` calls at once, and `rate` calls a second after that.

    With more than 100,000 projects, those that called longest ago are forgotten, and start again
    with a full bucket. Source: ITU-T I.371, the generic cell rate algorithm as a continuous bucket.
    """

    def __init__(
        self, rate: float, burst: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """A `rate` of 0 means no limit."""
        self._rate = rate
        self._burst = float(burst)
        self._monotonic = monotonic
        self._buckets: LRUCache[str, _Bucket] = LRUCache(MOST_PROJECTS)

    def take(self, project_id: str) -> None:
        """Counts one call of the project.

        Raises:
            RateLimited: the bucket is empty; its delay ends when the bucket allows a call again.
        """
        if not self._rate:
            return
        bucket = self._filled(project_id)
        if bucket.tokens < 1.0:
            ADMISSION_REFUSALS.labels("rate_limited").inc()
            raise RateLimited(timedelta(seconds=(1.0 - bucket.tokens) / self._rate))
        bucket.tokens -= 1.0

    def _filled(self, project_id: str) -> _Bucket:
        now = self._monotonic()
        bucket = self._buckets.get(project_id)
        if bucket is None:
            bucket = self._buckets[project_id] = _Bucket(self._burst, now)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.filled) * self._rate)
        bucket.filled = now
        return bucket
