"""Re-embedding: every text of a store is embedded again, with another embedder."""

from __future__ import annotations

from collections.abc import Callable

from server.maintenance.ports import StoreMaintenance
from server.maintenance.store import EmbedderIdentity
from server.models.ports import Embedder, EmbeddingPurpose

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
