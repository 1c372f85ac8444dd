"""Inferring lasting facts from a conversation."""

from __future__ import annotations

from typing import Protocol

from server.domain.inference import InferenceAnswer, InferenceRequest


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
