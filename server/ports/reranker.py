"""Telling how well texts answer a question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


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
