"""The port to a store as a whole: its schema, its embedder, and all texts to embed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from server.core.values import Vector
from server.maintenance.store import EmbedderIdentity, TextPlace


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
