"""Retention: memories are erased some time after they expire."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import asdict
from datetime import timedelta

import structlog

from server.core.clock import Clock, new_id
from server.core.errors import MemoirError
from server.memories.changes import Call
from server.memories.memory import today
from server.memories.ports import MemoryStore
from server.memories.scope import Scope

PURGE_EXPIRED = "Retention"
INTERVAL = timedelta(minutes=10)
# Small, so that no transaction holds locks for long.
MEMORIES_AT_ONCE = 100

log = structlog.get_logger()


class PurgeExpired:
    """Erases memories whose last day is more than `kept_days` ago, with their history."""

    def __init__(
        self,
        store: MemoryStore,
        clock: Clock,
        kept_days: int,
        interval: timedelta = INTERVAL,
    ) -> None:
        self._store = store
        self._clock = clock
        self._kept_days = kept_days
        self._interval = interval

    async def run(self) -> None:
        """Checks periodically until it is cancelled."""
        while True:
            try:
                await self.purge()
            except Exception as error:
                # The next check may succeed; the pool reports outages itself.
                if not isinstance(error, MemoirError):
                    log.error("retention.failed", exc_info=error)
            await asyncio.sleep(self._interval.total_seconds())

    async def purge(self) -> Counter[str]:
        """Erases everything that is due, batch by batch, and returns the counts.

        Raises:
            StoreUnavailable, ConcurrentChange: earlier batches stay erased.
        """
        erased: Counter[str] = Counter()
        expired_before = today(self._clock.now()) - timedelta(days=self._kept_days)
        while receipt := await self._store.purge(expired_before, MEMORIES_AT_ONCE, self._call):
            erased.update(asdict(receipt))
        if erased:
            log.info("retention.purged", **erased)
        return erased

    def _call(self, project_id: str) -> Call:
        now = self._clock.now()
        call_id = new_id(now)
        return Call(
            id=call_id,
            project_id=project_id,
            scope=Scope(),
            method=PURGE_EXPIRED,
            time=now,
            correlation_id=f"retention-{call_id}",
            embedding_model="",
        )
