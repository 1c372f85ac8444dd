"""Upkeep of a store: erases memories that expired long ago, and changes the embedder."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta

import structlog

from server.core.errors import MemoirError
from server.core.values import Clock, new_id
from server.maintenance.ports import EmbedderIdentity, Reembedding, Retention
from server.memories.memory import today
from server.memories.ports import Call
from server.memories.scope import Scope
from server.models.ports import Embedder, EmbeddingPurpose

PURGE_EXPIRED = "Retention"
INTERVAL = timedelta(minutes=10)
# Small, so that no transaction holds locks for long.
MEMORIES_AT_ONCE = 100

log = structlog.get_logger()


class PurgeExpired:
    """Erases memories whose last day is more than `kept_days` ago, with their history."""

    def __init__(
        self,
        retention: Retention,
        clock: Clock,
        kept_days: int,
        interval: timedelta = INTERVAL,
    ) -> None:
        self._retention = retention
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
        while receipt := await self._retention.purge(expired_before, MEMORIES_AT_ONCE, self._call):
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


TEXTS_AT_ONCE = 200


class Reembed:
    """Embeds every text of a store again, including those of past states.

    The servers must be stopped, because the store holds vectors of two embedders until the end.
    It works batch by batch, and continues after an interruption.
    """

    def __init__(self, store: Reembedding, embedder: Embedder) -> None:
        self._store = store
        self._embedder = embedder

    async def __call__(
        self, on_progress: Callable[[int, int], None] = lambda _done, _total: None
    ) -> int | None:
        """Embeds the texts that are left, and returns their number.

        Returns None if the store already has this embedder.

        Raises:
            OtherEmbedderWanted: another command started with another embedder.
            StoreInUse: a server is connected to the store.
            ModelUnavailable, ModelQuotaExhausted: the embedder failed; repeat the command later.
            StoreUnavailable: the store cannot be reached.
        """
        identity = EmbedderIdentity(self._embedder.model, self._embedder.dimensions)
        if not await self._store.begin(identity):
            return None
        done, total = 0, await self._store.count()
        on_progress(done, total)
        while places := await self._store.texts(TEXTS_AT_ONCE):
            texts = [place.text for place in places]
            vectors = await self._embedder.embed(texts, EmbeddingPurpose.DOCUMENT)
            await self._store.replace(identity, places, vectors)
            done += len(places)
            on_progress(done, total)
        await self._store.finish(identity)
        return done
