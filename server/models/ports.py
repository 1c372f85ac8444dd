"""Ports that embed texts, infer facts from conversations, and score texts for a question."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from server.core.values import Vector
from server.memories.add.inference import InferenceAnswer, InferenceRequest


class EmbeddingPurpose(StrEnum):
    """The purpose of a vector: some models embed questions and answers differently."""

    DOCUMENT = "document"
    QUERY = "query"


class Embedder(Protocol):
    """Turns text into vectors. Vectors of different models are not comparable."""

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
        """The minimum cosine of two texts that count as near duplicates."""
        ...

    @property
    def dense_weight(self) -> float:
        """The weight of its vectors in a search; words have the weight 1."""
        ...

    @property
    def compares_sentences(self) -> bool:
        """Whether messages are compared with memories by sentences instead of as a whole."""
        ...

    def meanings(self, question: str) -> Sequence[str]:
        """Returns words of the question, each followed by English words of related meaning."""
        ...

    async def embed(self, texts: Sequence[str], purpose: EmbeddingPurpose) -> list[Vector]:
        """Returns an L2-normalised vector for each text, in order.

        It ends at the current call's deadline.

        Raises:
            ModelUnavailable: the provider is unreachable or returns errors.
            ModelQuotaExhausted: the provider's quota is used up.
        """
        ...


class LanguageModel(Protocol):
    """Infers the changes that a conversation makes to memories."""

    @property
    def model(self) -> str:
        """The model's name with its provider, such as `gemini/gemini-3.5-flash`."""
        ...

    async def infer(self, request: InferenceRequest) -> InferenceAnswer:
        """Returns unchecked proposals for the whole conversation, within the call's deadline.

        Raises:
            ExtractionFailed: the answer cannot be read, is truncated, or was refused.
            ModelUnavailable: the provider is unreachable or returns errors.
            ModelQuotaExhausted: the provider's quota is used up.
        """
        ...


class RerankFailed(Exception):
    """There are no scores; `reason` explains it to the client."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Reranker(Protocol):
    """Scores texts for a question, reading both together, unlike the other arms of a search."""

    @property
    def model(self) -> str:
        """The model's name with its provider, such as `gemini/gemini-3.5-flash`."""
        ...

    async def rerank(self, question: str, texts: Sequence[str]) -> list[float]:
        """Returns how well each text answers the question, from 0 to 1, in the order of the texts.

        It ends at the call's deadline.

        Raises:
            RerankFailed: there is no such model, or its answer cannot be used.
            ModelUnavailable: the provider is unreachable or returns errors.
            ModelQuotaExhausted: the provider's quota is used up.
        """
        ...
