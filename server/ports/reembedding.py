"""Giving a store's texts to another embedder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from server.domain.values import Vector
from server.ports.readiness import EmbedderIdentity


@dataclass(frozen=True, slots=True)
class TextPlace:
    """A text as it is to be embedded, in the order of all texts; `key` is opaque."""

    key: str
    text: str


class Reembedding(Protocol):
    """The texts of a store that hold an embedding: of memories, and of their past states.

    Every method raises StoreUnavailable where PostgreSQL cannot be reached.
    """

    async def begin(self, embedder: EmbedderIdentity) -> bool:
        """Makes the store unready until `finish`. False if it is of this embedder already.

        Goes on where one to the same embedder was interrupted; one to another begins anew.

        Raises:
            StoreInUse: a server is connected to it.
        """
        ...

    async def count(self) -> int:
        """How many texts there are still to do."""
        ...

    async def texts(self, limit: int) -> list[TextPlace]:
        """The next ones that are to do; empty when all are done."""
        ...

    async def replace(
        self, embedder: EmbedderIdentity, places: Sequence[TextPlace], embeddings: Sequence[Vector]
    ) -> None:
        """Stores the embeddings of these texts, and that they are done, in one transaction.

        Raises:
            OtherEmbedderWanted: one to another embedder was begun meanwhile.
        """
        ...

    async def finish(self, embedder: EmbedderIdentity) -> None:
        """Makes `embedder` the store's, and the store ready.

        Raises:
            OtherEmbedderWanted: one to another embedder was begun meanwhile.
        """
        ...
