"""Turning text into vectors."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from server.domain.values import Vector


class EmbeddingPurpose(StrEnum):
    """What the vector is for: some models embed questions and answers differently."""

    DOCUMENT = "document"
    QUERY = "query"


class Embedder(Protocol):
    """Turns text into vectors. Vectors of different models never mix."""

    @property
    def model(self) -> str:
        """The model's name with its provider, such as `gemini/gemini-embedding-001`."""
        ...

    @property
    def dimensions(self) -> int:
        """The length of every vector."""
        ...

    @property
    def near_duplicate_similarity(self) -> float:
        """The least cosine of two texts that say the same in almost the same words."""
        ...

    async def embed(self, texts: Sequence[str], purpose: EmbeddingPurpose) -> list[Vector]:
        """One L2-normalised vector a text, in order; an empty list for no texts.

        Bounded by the current call's deadline.

        Raises:
            ModelUnavailable: the provider is away or answers with faults.
            ModelQuotaExhausted: the provider's quota is used up.
        """
        ...
