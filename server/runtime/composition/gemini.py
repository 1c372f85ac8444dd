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
from server.runtime.settings import ModelSettings, SettingsFault


@asynccontextmanager
async def open_gemini(
    settings: ModelSettings, breaker: CircuitBreaker
) -> AsyncIterator[tuple[Embedder, LanguageModel, Reranker]]:
    """Opens the three models, and closes them at the end of the block; `breaker` guards the last.

    Raises:
        SettingsFault: there is no key.
    """
    if settings.gemini_api_key is None:
        raise SettingsFault("MEMOIR_MODELS=gemini needs GEMINI_API_KEY")
    client = GeminiClient(
        api_key=settings.gemini_api_key.get_secret_value(),
        base_url=settings.gemini_base_url,
        max_concurrency=settings.gemini_concurrency,
    )
    try:
        yield (
            GeminiEmbedder(
                client,
                model_name=settings.gemini_embedding_model,
                dimensions=settings.gemini_embedding_dimensions,
                timeout=settings.gemini_timeout,
            ),
            GeminiLanguageModel(
                client, model_name=settings.gemini_language_model, timeout=settings.gemini_timeout
            ),
            GuardedReranker(
                GeminiReranker(
                    client,
                    model_name=settings.gemini_language_model,
                    timeout=settings.gemini_timeout,
                ),
                breaker,
            ),
        )
    finally:
        await client.close()
