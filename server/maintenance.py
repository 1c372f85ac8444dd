"""Maintenance of a store: readiness, embedder and retention."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Protocol

import structlog

from server.core.clock import Clock, new_id
from server.core.errors import MemoirError
from server.core.values import Vector
from server.memories.changes import Call
from server.memories.memory import today
from server.memories.ports import MemoryStore
from server.memories.scope import Scope
from server.models.ports import Embedder, EmbeddingPurpose


class StoreUnready(MemoirError):
    """The store is not ready for use; the message says why and what to do."""


class EmbedderConflict(MemoirError):
    """The store was written with another embedder than this server's."""


class ReembeddingConflict(MemoirError):
    """A `reembed` to a different embedder is running."""

    def __init__(self) -> None:
        super().__init__(
            "a `reembed` to a different embedder is running on this store; wait until it has ended"
        )


class StoreInUse(MemoirError):
    """A command needs exclusive use of the store, but a server is connected to it."""

    def __init__(self) -> None:
        super().__init__("a server is connected to this database; stop all servers first")


@dataclass(frozen=True, slots=True)
class EmbedderIdentity:
    """Vectors are comparable only if their embedders have the same identity."""

    model: str
    dimensions: int

    def __str__(self) -> str:
        """Returns the identity as text for messages."""
        return f"{self.model} ({self.dimensions} dimensions)"


@dataclass(frozen=True, slots=True)
class TextPlace:
    """A text to embed, and its place among all texts; `key` is opaque."""

    key: str
    text: str


class StoreMaintenance(Protocol):
    """The store as a whole: its schema, its embedder, and all texts that have an embedding.

    These are the texts of memories and of their past states. Every method raises StoreUnavailable
    if PostgreSQL cannot be reached.
    """

    async def schema_fault(self) -> str | None:
        """Returns None if the schema is current, else the fault and the command that fixes it."""
        ...

    async def claim_embedder(self, embedder: EmbedderIdentity) -> EmbedderIdentity:
        """Makes `embedder` the store's embedder if it has none, and returns the store's embedder.

        Raises:
            StoreUnready: the embedder is being changed.
        """
        ...

    async def begin_reembedding(self, embedder: EmbedderIdentity) -> bool:
        """Makes the store unready until `finish_reembedding`; False if it has this embedder.

        Continues an interrupted change to the same embedder; a change to another embedder starts
        over.

        Raises:
            StoreInUse: a server is connected to the store.
        """
        ...

    async def count_texts(self) -> int:
        """Returns the number of texts that are left to embed."""
        ...

    async def next_texts(self, limit: int) -> list[TextPlace]:
        """Returns the next texts to embed; empty when all are done."""
        ...

    async def replace_embeddings(
        self, embedder: EmbedderIdentity, places: Sequence[TextPlace], embeddings: Sequence[Vector]
    ) -> None:
        """Stores the embeddings of these texts and marks them as done, in one transaction.

        Raises:
            ReembeddingConflict: a `reembed` to a different embedder was started meanwhile.
        """
        ...

    async def finish_reembedding(self, embedder: EmbedderIdentity) -> None:
        """Makes `embedder` the store's embedder, and the store ready again.

        Raises:
            ReembeddingConflict: a `reembed` to a different embedder was started meanwhile.
        """
        ...


async def require_ready(store: StoreMaintenance, embedder: Embedder | None = None) -> None:
    """Checks that a command can use the store, and that its embedder, if any, is the store's.

    Raises:
        StoreUnready: the schema is outdated, or another embedder wrote the store.
        StoreUnavailable: the store cannot be reached.
    """
    fault = await store.schema_fault()
    if fault is None and embedder is not None:
        fault = await embedder_fault(store, embedder)
    if fault is not None:
        raise StoreUnready(fault)


async def embedder_fault(store: StoreMaintenance, embedder: Embedder) -> str | None:
    """Returns None if the store has this embedder or now gets it, else an error message."""
    current = EmbedderIdentity(embedder.model, embedder.dimensions)
    stored = await store.claim_embedder(current)
    return None if stored == current else embedder_conflict(stored, current)


def embedder_conflict(stored: EmbedderIdentity, current: EmbedderIdentity) -> str:
    """Returns an error message for a store that another embedder wrote."""
    return (
        f"the store was written with the embedder {stored} and this server embeds with {current}; "
        "their vectors are not comparable. Start with the previous models, embed the store again "
        "(stop the servers and run: python -m server reembed), or use another database "
        "(MEMOIR_DATA_DIR or MEMOIR_POSTGRES_DSN)"
    )


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


TEXTS_AT_ONCE = 200


class Reembed:
    """Embeds every text of a store again, including those of past states.

    The servers must be stopped, because the store holds vectors of two embedders until the end.
    It works batch by batch, and continues after an interruption.
    """

    def __init__(self, store: StoreMaintenance, embedder: Embedder) -> None:
        self._store = store
        self._embedder = embedder

    async def __call__(
        self, on_progress: Callable[[int, int], None] = lambda _done, _total: None
    ) -> int | None:
        """Embeds the texts that are left, and returns their number.

        Returns None if the store already has this embedder.

        Raises:
            ReembeddingConflict: a `reembed` to a different embedder was started.
            StoreInUse: a server is connected to the store.
            ModelUnavailable, ModelQuotaExhausted: the embedder failed; repeat the command later.
            StoreUnavailable: the store cannot be reached.
        """
        identity = EmbedderIdentity(self._embedder.model, self._embedder.dimensions)
        if not await self._store.begin_reembedding(identity):
            return None
        done, total = 0, await self._store.count_texts()
        on_progress(done, total)
        while places := await self._store.next_texts(TEXTS_AT_ONCE):
            texts = [place.text for place in places]
            vectors = await self._embedder.embed(texts, EmbeddingPurpose.DOCUMENT)
            await self._store.replace_embeddings(identity, places, vectors)
            done += len(places)
            on_progress(done, total)
        await self._store.finish_reembedding(identity)
        return done
