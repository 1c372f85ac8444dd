"""The models at Gemini."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.adapters.circuit_breaker import CircuitBreaker
from server.adapters.gemini.client import GeminiClient
from server.adapters.gemini.embedder import GeminiEmbedder
from server.adapters.gemini.guarded_reranker import GuardedReranker
from server.adapters.gemini.language_model import GeminiLanguageModel
from server.adapters.gemini.reranker import GeminiReranker
from server.bootstrap.models import Models
from server.settings import ModelSettings, SettingsFault


@asynccontextmanager
async def open_gemini(settings: ModelSettings, breaker: CircuitBreaker) -> AsyncIterator[Models]:
    """The models, released at the end of the block.

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
        yield Models(
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
            breaker,
        )
    finally:
        await client.close()
