"""Embeddings by the real client."""

from __future__ import annotations

import math

import pytest
from structlog.testing import capture_logs

from server.core.transient_errors import ModelQuotaExhausted, ModelUnavailable
from server.core.values import Vector
from server.models.gemini.client import GeminiClient
from server.models.gemini.embedder import GeminiEmbedder
from server.models.gemini.options import GeminiOptions
from server.models.ports import Embedder, EmbeddingPurpose
from tests.support import gemini_faults
from tests.support.gemini_endpoint import GeminiEndpoint
from tests.support.gemini_faults import Fault

DOCUMENT, QUERY = EmbeddingPurpose.DOCUMENT, EmbeddingPurpose.QUERY


def cosine(one: Vector, other: Vector) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


async def test_it_describes_itself(embedder: GeminiEmbedder) -> None:
    port: Embedder = embedder

    assert (port.model, port.dimensions) == ("gemini/gemini-embedding-001", 768)


async def test_vectors_are_normalised_and_in_order(
    embedder: GeminiEmbedder, endpoint: GeminiEndpoint
) -> None:
    texts = ["Ada likes hiking", "The invoice is overdue", "hiking in the Alps"]

    vectors = await embedder.embed(texts, DOCUMENT)

    assert [vector.typecode for vector in vectors] == ["f"] * 3
    assert [len(vector) for vector in vectors] == [768] * 3
    assert [math.hypot(*vector) for vector in vectors] == pytest.approx([1.0] * 3, abs=1e-5)
    assert cosine(vectors[0], vectors[2]) > cosine(vectors[0], vectors[1])
    [request] = endpoint.requests
    assert request.path == "/v1beta/models/gemini-embedding-001:batchEmbedContents"


async def test_no_texts_need_no_request(embedder: GeminiEmbedder, endpoint: GeminiEndpoint) -> None:
    assert await embedder.embed([], DOCUMENT) == []
    assert endpoint.requests == []


async def test_many_texts_go_in_requests_of_one_hundred(
    embedder: GeminiEmbedder, endpoint: GeminiEndpoint
) -> None:
    texts = [f"word{number}" for number in range(250)]

    vectors = await embedder.embed(texts, DOCUMENT)

    assert sorted(len(request.body["requests"]) for request in endpoint.requests) == [50, 100, 100]
    assert len(vectors) == 250
    for place in (0, 99, 100, 199, 200, 249):
        [alone] = await embedder.embed([texts[place]], DOCUMENT)
        assert vectors[place] == alone


@pytest.mark.parametrize(
    ("purpose", "task"), [(DOCUMENT, "RETRIEVAL_DOCUMENT"), (QUERY, "RETRIEVAL_QUERY")]
)
async def test_the_first_model_gets_the_task_as_a_parameter(
    embedder: GeminiEmbedder, endpoint: GeminiEndpoint, purpose: EmbeddingPurpose, task: str
) -> None:
    await embedder.embed(["a", "b"], purpose)

    assert endpoint.requests[0].body["requests"] == [
        {
            "model": "models/gemini-embedding-001",
            "content": {"parts": [{"text": text}]},
            "taskType": task,
            "outputDimensionality": 768,
        }
        for text in ("a", "b")
    ]


@pytest.mark.parametrize(
    ("purpose", "prefix"),
    [(DOCUMENT, "title: none | text: "), (QUERY, "task: search result | query: ")],
)
async def test_the_second_model_gets_the_task_as_a_prefix_and_never_merges_texts(
    client: GeminiClient, endpoint: GeminiEndpoint, purpose: EmbeddingPurpose, prefix: str
) -> None:
    embedder = GeminiEmbedder(
        client, GeminiOptions(embedding_model="gemini-embedding-2", embedding_dimensions=1536)
    )

    vectors = await embedder.embed(["a", "b"], purpose)

    assert [len(vector) for vector in vectors] == [1536, 1536]
    assert embedder.model == "gemini/gemini-embedding-2"
    assert endpoint.requests[0].body["requests"] == [
        {
            "model": "models/gemini-embedding-2",
            "content": {"parts": [{"text": f"{prefix}{text}"}]},
            "outputDimensionality": 1536,
        }
        for text in ("a", "b")
    ]


async def test_names_in_a_question_count_half_and_cost_no_request(
    embedder: GeminiEmbedder, endpoint: GeminiEndpoint
) -> None:
    asked, rest = "When did Ada go hiking with Tom?", "When did go hiking with"

    vectors = await embedder.embed([asked, "who likes tea?"], QUERY)

    [request] = endpoint.requests
    sent = [entry["content"]["parts"][0]["text"] for entry in request.body["requests"]]
    assert sent == [asked, "who likes tea?", rest]
    # A document is embedded unchanged.
    of_asked, of_rest, of_other = await embedder.embed([asked, rest, "who likes tea?"], DOCUMENT)
    assert cosine(vectors[0], of_asked) == pytest.approx(cosine(vectors[0], of_rest))
    assert math.hypot(*vectors[0]) == pytest.approx(1.0, abs=1e-5)
    assert list(vectors[1]) == pytest.approx(list(of_other))


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (gemini_faults.wrong_count, "1 embeddings for 2 texts"),
        (gemini_faults.wrong_dimension, "embeddings of [767] dimensions, not 768"),
        (gemini_faults.zeros, "an embedding of zeros"),
        (gemini_faults.body("{}"), "0 embeddings for 2 texts"),
    ],
)
async def test_embeddings_that_cannot_be_used_are_a_fault(
    embedder: GeminiEmbedder, endpoint: GeminiEndpoint, fault: Fault, problem: str
) -> None:
    endpoint.fail("batchEmbedContents", fault)

    with capture_logs() as logs, pytest.raises(ModelUnavailable):
        await embedder.embed(["a", "b"], DOCUMENT)

    assert [(log["event"], log["problem"]) for log in logs] == [
        ("gemini_embedding.rejected", problem)
    ]


async def test_one_failed_request_of_several_fails_the_whole(
    embedder: GeminiEmbedder, endpoint: GeminiEndpoint
) -> None:
    endpoint.fail("batchEmbedContents", gemini_faults.quota(), times=5)

    with capture_logs(), pytest.raises(ModelQuotaExhausted) as caught:
        await embedder.embed(["a"] * 150, DOCUMENT)

    assert caught.value.metadata == {"model": "gemini/gemini-embedding-001"}
