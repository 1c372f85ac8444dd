"""Contract of rerankers: a score for each text in order, or a reason for the failure."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from server.models.gemini.client import GeminiClient
from server.models.gemini.options import GeminiOptions
from server.models.gemini.reranker import GeminiReranker
from server.models.offline.language_model import OfflineReranker
from server.models.ports import Reranker, RerankFailed
from tests.support.gemini_endpoint import GeminiEndpoint

QUESTION = "Where does Ada live?"
TEXTS = ["Ada plays the cello.", "Ada does live in Oslo.", "It rained."]


@pytest.fixture
async def on_gemini(gemini: GeminiEndpoint) -> AsyncIterator[Reranker]:
    options = GeminiOptions(base_url=gemini.base_url)
    client = GeminiClient("test-key", options)
    yield GeminiReranker(client, options)
    await client.close()


async def test_texts_are_scored_in_their_order(on_gemini: Reranker) -> None:
    first, second, third = await on_gemini.rerank(QUESTION, TEXTS)

    assert 1.0 >= second > first > third == 0.0
    assert await on_gemini.rerank(QUESTION, TEXTS[::-1]) == [third, second, first]


async def test_a_model_says_what_it_is(on_gemini: Reranker) -> None:
    assert on_gemini.model == "gemini/gemini-3.5-flash"


async def test_without_a_model_there_is_a_reason() -> None:
    offline: Reranker = OfflineReranker()

    with pytest.raises(RerankFailed) as caught:
        await offline.rerank(QUESTION, TEXTS)

    assert caught.value.reason == "the offline models do not rerank"
    assert offline.model.startswith("offline/")
