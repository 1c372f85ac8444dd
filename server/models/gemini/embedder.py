"""Embeds texts with the Gemini API."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

import numpy as np
import orjson
import structlog

from server.core.request_context import parked
from server.core.text import without_names
from server.core.transient_errors import ModelUnavailable
from server.core.values import Vector
from server.models.gemini.batcher import EmbeddingBatcher
from server.models.gemini.client import EMBEDDINGS, GeminiClient, ModelRequest, model_span
from server.models.gemini.options import GeminiOptions
from server.models.ports import EmbeddingPurpose

# Also for a single text, so that there is only one format of requests and responses.
_METHOD = "batchEmbedContents"

# How models get the purpose of a vector: gemini-embedding-001 as a parameter, later models as a
# prefix of the text.
_MODELS_WITH_TASK_TYPE = ("gemini-embedding-001", "gemini-embedding-exp")
_TASK_TYPES = {
    EmbeddingPurpose.DOCUMENT: "RETRIEVAL_DOCUMENT",
    EmbeddingPurpose.QUERY: "RETRIEVAL_QUERY",
}
_PREFIXES = {
    EmbeddingPurpose.DOCUMENT: "title: none | text: ",
    EmbeddingPurpose.QUERY: "task: search result | query: ",
}

# Both were measured with a learned embedder of 384 dimensions: ADR 0055.
_NEAR_DUPLICATE_SIMILARITY = 0.9
_DENSE_WEIGHT = 1.5

log = structlog.get_logger()


class InvalidEmbeddings(ValueError):
    """The vectors cannot be used; the message gives the reason, without texts."""


class GeminiEmbedder:
    """An `Embedder` over the models `gemini-embedding-*`."""

    def __init__(self, client: GeminiClient, options: GeminiOptions) -> None:
        self._client = client
        self._model_name = options.embedding_model
        self._dimensions = options.embedding_dimensions
        self._timeout = options.timeout
        self._has_task_type = options.embedding_model.startswith(_MODELS_WITH_TASK_TYPE)
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
        """Low, because the wording must agree too; measured with another embedder (ADR 0055)."""
        return _NEAR_DUPLICATE_SIMILARITY

    @property
    def dense_weight(self) -> float:
        """Vectors count 1.5 times as much as words."""
        return _DENSE_WEIGHT

    @property
    def compares_sentences(self) -> bool:
        """True: the vector of a text about many things is close to none of them (ADR 0055)."""
        return True

    def meanings(self, question: str) -> Sequence[str]:  # noqa: ARG002 - of the port
        """Returns none: a learned embedder compares meanings well."""
        return ()

    async def embed(self, texts: Sequence[str], purpose: EmbeddingPurpose) -> list[Vector]:
        """Returns an L2-normalised vector for each text, in order. Concurrent calls share requests.

        The vector of a query with names is the mean of its vectors with and without the names.
        Words already find names exactly, while vectors also find unrelated texts that address the
        named person. The calling request is parked in the meantime.

        Raises:
            ModelUnavailable: the provider is unreachable or returns errors.
            ModelQuotaExhausted: the provider's quota is used up.
            DeadlineExceeded: the call's time is up.
        """
        queries = texts if purpose is EmbeddingPurpose.QUERY else ()
        nameless = {text: rest for text in queries if (rest := without_names(text)) != text}
        async with parked():
            vectors = await self._batcher.embed([*texts, *nameless.values()], purpose)
        without_name = dict(zip(nameless, vectors[len(texts) :], strict=True))
        return [
            mean_direction(vector, without_name[text]) if text in without_name else vector
            for text, vector in zip(texts, vectors, strict=False)
        ]

    async def _send(self, texts: Sequence[str], purpose: EmbeddingPurpose) -> list[Vector]:
        request = ModelRequest(
            self._model_name,
            _METHOD,
            {"requests": [self._entry(text, purpose) for text in texts]},
            read_embeddings,
            EMBEDDINGS,
            self._timeout,
        )
        with model_span(EMBEDDINGS, self._model_name) as traced:
            traced.set_attribute("gen_ai.embeddings.dimension.count", self._dimensions)
            rows = await self._client.call(request)
        try:
            return unit_vectors(rows, count=len(texts), dimensions=self._dimensions)
        except InvalidEmbeddings as fault:
            log.error("gemini_embedding.rejected", model=self.model, problem=str(fault))
            raise ModelUnavailable(self.model) from fault

    def _entry(self, text: str, purpose: EmbeddingPurpose) -> dict[str, object]:
        """Returns the request for the vector of one text."""
        prefix = "" if self._has_task_type else _PREFIXES[purpose]
        entry: dict[str, object] = {
            "model": f"models/{self._model_name}",
            "content": {"parts": [{"text": prefix + text}]},
            "outputDimensionality": self._dimensions,
        }
        if self._has_task_type:
            entry["taskType"] = _TASK_TYPES[purpose]
        return entry


def read_embeddings(text: str) -> list[Sequence[float]]:
    """Returns the vectors in a response; only its shape is checked.

    https://ai.google.dev/api/embeddings#response-body_1

    Raises:
        ValueError, TypeError: the text is not JSON, or JSON of another shape.
    """
    # Checking thousands of numbers with pydantic takes half as long again.
    embeddings = dict(orjson.loads(text)).get("embeddings", ())
    return [array("d", dict(embedding).get("values", ())) for embedding in embeddings]


def unit_vectors(rows: Sequence[Sequence[float]], *, count: int, dimensions: int) -> list[Vector]:
    """Returns the rows, scaled to length 1 (L2), in single precision.

    Raises:
        InvalidEmbeddings: there are not `count` rows of `dimensions` finite numbers, or one of them
            has no direction.
    """
    if len(rows) != count:
        raise InvalidEmbeddings(f"{len(rows)} embeddings for {count} texts")
    if wrong := {len(row) for row in rows} - {dimensions}:
        raise InvalidEmbeddings(f"embeddings of {sorted(wrong)} dimensions, not {dimensions}")
    with np.errstate(over="ignore"):
        return [_unit_vector(np.asarray(row, dtype=np.float64)) for row in rows]


def _unit_vector(row: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Vector:
    norm = math.sqrt(row.dot(row))
    if not math.isfinite(norm):
        raise InvalidEmbeddings("an embedding that is not finite")
    if not norm:
        raise InvalidEmbeddings("an embedding of zeros")
    return _vector((row / norm).astype(np.float32))


def mean_direction(one: Vector, other: Vector) -> Vector:
    """Returns the unit vector halfway between two; the first if they are opposite."""
    total = np.frombuffer(one, dtype=np.float32) + np.frombuffer(other, dtype=np.float32)
    norm = np.linalg.norm(total)
    return _vector(total / norm) if norm else one


def _vector(row: np.ndarray[tuple[int], np.dtype[np.float32]]) -> Vector:
    return array("f", row.tobytes())
