"""Composes the models."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from server.core.circuit_breaker import CircuitBreaker
from server.models.ports import Embedder, LanguageModel, Reranker
from server.runtime.settings import GeminiSettings, ModelChoice, Settings


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
async def open_models(settings: Settings) -> AsyncIterator[Models]:
    """Opens the chosen models, and closes them at the end of the block.

    Raises:
        SettingsFault: no models are chosen, or Gemini without a key.
    """
    breaker = CircuitBreaker("gemini_rerank")
    if settings.model_choice() is ModelChoice.OFFLINE:
        yield _load_offline(breaker)
        return
    async with _open_gemini(settings.gemini, breaker) as models:
        yield models


# Importing the libraries of a provider takes time and memory; only its users pay.


def _load_offline(breaker: CircuitBreaker) -> Models:
    from server.models.offline.embedder import OfflineEmbedder  # noqa: PLC0415
    from server.models.offline.language_model import (  # noqa: PLC0415
        OfflineLanguageModel,
        OfflineReranker,
    )

    return Models(OfflineEmbedder.load(), OfflineLanguageModel(), OfflineReranker(), breaker)


@asynccontextmanager
async def _open_gemini(settings: GeminiSettings, breaker: CircuitBreaker) -> AsyncIterator[Models]:
    """Opens Gemini's models for the block. The settings have a key if Gemini is chosen."""
    from server.models.gemini.client import GeminiClient  # noqa: PLC0415
    from server.models.gemini.embedder import GeminiEmbedder  # noqa: PLC0415
    from server.models.gemini.language_model import GeminiLanguageModel  # noqa: PLC0415
    from server.models.gemini.reranker import GeminiReranker, GuardedReranker  # noqa: PLC0415

    assert settings.api_key is not None
    client = GeminiClient(settings.api_key.get_secret_value(), settings)
    try:
        yield Models(
            GeminiEmbedder(client, settings),
            GeminiLanguageModel(client, settings),
            GuardedReranker(GeminiReranker(client, settings), breaker),
            breaker,
        )
    finally:
        await client.close()
