"""Composes the Gemini models."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.core.circuit_breaker import CircuitBreaker
from server.models.gemini.client import GeminiClient
from server.models.gemini.embedder import GeminiEmbedder
from server.models.gemini.language_model import GeminiLanguageModel
from server.models.gemini.reranker import GeminiReranker, GuardedReranker
from server.models.ports import Embedder, LanguageModel, Reranker
from server.runtime.settings import GeminiSettings, SettingsFault


@asynccontextmanager
async def open_gemini(
    settings: GeminiSettings, breaker: CircuitBreaker
) -> AsyncIterator[tuple[Embedder, LanguageModel, Reranker]]:
    """Opens the three models for the block. `breaker` guards the reranker.

    Raises:
        SettingsFault: there is no key.
    """
    if settings.api_key is None:
        raise SettingsFault("MEMOIR_MODELS=gemini needs GEMINI_API_KEY")
    client = GeminiClient(settings.api_key.get_secret_value(), settings)
    try:
        yield (
            GeminiEmbedder(client, settings),
            GeminiLanguageModel(client, settings),
            GuardedReranker(GeminiReranker(client, settings), breaker),
        )
    finally:
        await client.close()
