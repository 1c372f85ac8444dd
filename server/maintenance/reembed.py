"""Changes the embedder of a store."""

from __future__ import annotations

from collections.abc import Callable

from server.maintenance.ports import EmbedderIdentity, Reembedding
from server.models.ports import Embedder, EmbeddingPurpose

BATCH = 200


class Reembed:
    """Embeds every text of a store again, including those of past states.

    The servers must be stopped, because until it ends the store holds vectors that are not
    comparable. It works batch by batch, and continues after an interruption.
    """

    def __init__(self, store: Reembedding, embedder: Embedder) -> None:
        self._store = store
        self._embedder = embedder

    async def __call__(
        self, on_progress: Callable[[int, int], None] = lambda _done, _total: None
    ) -> int | None:
        """Embeds the texts that are left, and returns how many there were.

        Returns None if the store already has this embedder.

        Raises:
            OtherEmbedderWanted: another command began with another embedder.
            StoreInUse: a server is connected to the store.
            ModelUnavailable, ModelQuotaExhausted: the embedder failed; repeat the command later.
            StoreUnavailable: the store cannot be reached.
        """
        identity = EmbedderIdentity(self._embedder.model, self._embedder.dimensions)
        if not await self._store.begin(identity):
            return None
        done, total = 0, await self._store.count()
        on_progress(done, total)
        while places := await self._store.texts(BATCH):
            texts = [place.text for place in places]
            vectors = await self._embedder.embed(texts, EmbeddingPurpose.DOCUMENT)
            await self._store.replace(identity, places, vectors)
            done += len(places)
            on_progress(done, total)
        await self._store.finish(identity)
        return done
