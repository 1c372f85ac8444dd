"""Embeddings by the Gemini API."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from google.genai import types
from google.genai.models import AsyncModels

from server.adapters.gemini.batcher import EmbeddingBatcher
from server.adapters.gemini.client import GeminiClient
from server.adapters.gemini.model_spans import EMBEDDINGS, model_span
from server.adapters.gemini.vectors import InvalidEmbeddings, unit_vectors
from server.domain.errors import ModelUnavailable
from server.domain.values import Vector
from server.ports.embedder import EmbeddingPurpose

# How a model is told what the vector is for: gemini-embedding-001 by a parameter, the models after
# it by a prefix of the text.
_MODELS_WITH_TASK_TYPE = ("gemini-embedding-001", "gemini-embedding-exp")
_TASK_TYPES = {
    EmbeddingPurpose.DOCUMENT: "RETRIEVAL_DOCUMENT",
    EmbeddingPurpose.QUERY: "RETRIEVAL_QUERY",
}
_PREFIXES = {
    EmbeddingPurpose.DOCUMENT: "title: none | text: ",
    EmbeddingPurpose.QUERY: "task: search result | query: ",
}

_log = structlog.get_logger()
_NEAR_DUPLICATE_SIMILARITY = 0.9


class GeminiEmbedder:
    """An `Embedder` over the models `gemini-embedding-*`."""

    def __init__(
        self,
        client: GeminiClient,
        *,
        model_name: str = "gemini-embedding-001",
        dimensions: int = 768,
        timeout: float = 10.0,
    ) -> None:
        self._client = client
        self._model_name = model_name
        self._dimensions = dimensions
        self._timeout = timeout
        self._has_task_type = model_name.startswith(_MODELS_WITH_TASK_TYPE)
        self._batcher = EmbeddingBatcher(self._send)

    @property
    def model(self) -> str:
        """The model's name with its provider."""
        return f"gemini/{self._model_name}"

    @property
    def dimensions(self) -> int:
        """The length of every vector."""
        return self._dimensions

    @property
    def near_duplicate_similarity(self) -> float:
        """Not measured against the real models: the wording decides, and this is a lower bound."""
        return _NEAR_DUPLICATE_SIMILARITY

    async def embed(self, texts: Sequence[str], purpose: EmbeddingPurpose) -> list[Vector]:
        """One L2-normalised vector a text, in order; concurrent calls share requests.

        Raises:
            ModelUnavailable: the provider is away or answers with faults.
            ModelQuotaExhausted: the provider's quota is used up.
            DeadlineExceeded: the call's time is up.
        """
        return await self._batcher.embed(texts, purpose)

    async def _send(self, texts: Sequence[str], purpose: EmbeddingPurpose) -> list[Vector]:
        prefix = "" if self._has_task_type else _PREFIXES[purpose]
        task_type = _TASK_TYPES[purpose] if self._has_task_type else None

        async def request(
            models: AsyncModels, http_options: types.HttpOptions
        ) -> types.EmbedContentResponse:
            return await models.embed_content(
                model=self._model_name,
                # A Content a text: a list of strings would become one embedding for all of them.
                contents=[types.Content(parts=[types.Part(text=prefix + text)]) for text in texts],
                config=types.EmbedContentConfig(
                    task_type=task_type,
                    output_dimensionality=self._dimensions,
                    http_options=http_options,
                ),
            )

        with model_span(EMBEDDINGS, self._model_name) as traced:
            traced.set_attribute("gen_ai.embeddings.dimension.count", self._dimensions)
            response = await self._client.call(self.model, EMBEDDINGS, self._timeout, request)
        values = [embedding.values or [] for embedding in response.embeddings or []]
        try:
            return unit_vectors(values, count=len(texts), dimensions=self._dimensions)
        except InvalidEmbeddings as fault:
            _log.error("gemini.embedding_fault", model=self.model, problem=str(fault))
            raise ModelUnavailable(self.model) from fault
