"""The part of the composition root that opens the models."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from server.adapters.circuit_breaker import CircuitBreaker
from server.adapters.gemini.client import GeminiClient
from server.adapters.gemini.embedder import GeminiEmbedder
from server.adapters.gemini.guarded_reranker import GuardedReranker
from server.adapters.gemini.language_model import GeminiLanguageModel
from server.adapters.gemini.reranker import GeminiReranker
from server.adapters.offline.embedder import OfflineEmbedder
from server.adapters.offline.language_model import OfflineLanguageModel
from server.adapters.offline.reranker import OfflineReranker
from server.ports.embedder import Embedder
from server.ports.language_model import LanguageModel
from server.ports.reranker import Reranker
from server.settings import ModelChoice, ModelSettings, SettingsFault


@dataclass(frozen=True, slots=True)
class Models:
    """Who embeds, who infers and who orders hits.

    The breaker `reranking` guards the last.
    """

    embedder: Embedder
    language_model: LanguageModel
    reranker: Reranker
    reranking: CircuitBreaker


@asynccontextmanager
async def open_models(choice: ModelChoice, settings: ModelSettings) -> AsyncIterator[Models]:
    """The models, released at the end of the block.

    Raises:
        SettingsFault: Gemini is chosen and there is no key.
    """
    breaker = CircuitBreaker("gemini_rerank")
    if choice is ModelChoice.OFFLINE:
        yield Models(OfflineEmbedder.load(), OfflineLanguageModel(), OfflineReranker(), breaker)
        return
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
