"""Composes the models."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from server.core.circuit_breaker import CircuitBreaker
from server.models.offline.embedder import OfflineEmbedder
from server.models.offline.language_model import OfflineLanguageModel, OfflineReranker
from server.models.ports import Embedder, LanguageModel, Reranker
from server.runtime.settings import GeminiSettings, ModelChoice


@dataclass(frozen=True, slots=True)
class Models:
    """The embedder, the language model and the reranker.

    The breaker `reranking` guards the reranker.
    """

    embedder: Embedder
    language_model: LanguageModel
    reranker: Reranker
    reranking: CircuitBreaker


@asynccontextmanager
async def open_models(choice: ModelChoice, settings: GeminiSettings) -> AsyncIterator[Models]:
    """Opens the models, and closes them at the end of the block.

    Raises:
        SettingsFault: Gemini is chosen without a key.
    """
    breaker = CircuitBreaker("gemini_rerank")
    if choice is ModelChoice.OFFLINE:
        yield Models(OfflineEmbedder.load(), OfflineLanguageModel(), OfflineReranker(), breaker)
        return
    # Importing Google's client takes a fifth of the startup's import time; only its users pay.
    from server.runtime.composition.gemini import open_gemini  # noqa: PLC0415

    async with open_gemini(settings, breaker) as models:
        yield Models(*models, breaker)
