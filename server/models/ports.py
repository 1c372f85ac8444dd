"""Embedding texts, inferring facts from conversations, and ordering texts by a question."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from server.core.values import Vector
from server.memories.add.inference import InferenceAnswer, InferenceRequest


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

    @property
    def dense_weight(self) -> float:
        """How much its vectors count in a search, where words count 1."""
        ...

    @property
    def compares_sentences(self) -> bool:
        """Whether sentences by themselves lead better to what a message changes than all of it."""
        ...

    async def embed(self, texts: Sequence[str], purpose: EmbeddingPurpose) -> list[Vector]:
        """One L2-normalised vector a text, in order; an empty list for no texts.

        Bounded by the current call's deadline.

        Raises:
            ModelUnavailable: the provider is away or answers with faults.
            ModelQuotaExhausted: the provider's quota is used up.
        """
        ...


class LanguageModel(Protocol):
    """Proposes what to remember."""

    @property
    def model(self) -> str:
        """The model's name with its provider, such as `gemini/gemini-3.5-flash`."""
        ...

    async def infer(self, request: InferenceRequest) -> InferenceAnswer:
        """One proposal for the whole conversation, unchecked. Bounded by the call's deadline.

        Raises:
            ExtractionFailed: the answer cannot be read, is cut off, or was refused.
            ModelUnavailable: the provider is away or answers with faults.
            ModelQuotaExhausted: the provider's quota is used up.
        """
        ...


class RerankFailed(Exception):
    """There are no scores; `reason` says why, in words for the client."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Reranker(Protocol):
    """Reads a question and texts together, as none of a search's arms does."""

    @property
    def model(self) -> str:
        """The model's name with its provider, such as `gemini/gemini-3.5-flash`."""
        ...

    async def rerank(self, question: str, texts: Sequence[str]) -> list[float]:
        """How well each text answers the question, from 0 to 1, in the order of the texts.

        Bounded by the call's deadline.

        Raises:
            RerankFailed: there is no such model, or its answer cannot be used.
            ModelUnavailable: the provider is away or answers with faults.
            ModelQuotaExhausted: the provider's quota is used up.
        """
        ...
