"""Prometheus histograms that are cheap to observe."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from typing import Final

import prometheus_client

MOST_NOTED: Final = 500
"""How many observations wait to be counted, at most."""


class Histogram(prometheus_client.Histogram):
    """Notes observations, and counts many of them at once: when it is read, or there are too many.

    Counting one by one goes through all buckets and two locks, some ten times in each call. The
    library has no way to count several, so this one knows its buckets.
    """

    def _metric_init(self) -> None:
        super()._metric_init()
        self._noted: deque[float] = deque()

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        """Observes an amount; one with an exemplar, the link to a trace, is counted at once."""
        if exemplar:
            super().observe(amount, exemplar)
            return
        self._noted.append(amount)
        if len(self._noted) >= MOST_NOTED:
            self._count_noted()

    def _child_samples(self) -> tuple[prometheus_client.samples.Sample, ...]:
        self._count_noted()
        return tuple(super()._child_samples())

    def _count_noted(self) -> None:
        # Other threads may note and count at the same time: each amount is taken once.
        amounts = []
        while self._noted:
            try:
                amounts.append(self._noted.popleft())
            except IndexError:
                break
        self._sum.inc(sum(amounts))
        for place, count in Counter(bisect_left(self._upper_bounds, a) for a in amounts).items():
            self._buckets[place].inc(count)
