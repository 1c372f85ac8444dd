"""The real client against a local endpoint that speaks the Gemini API."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from server.models.gemini.client import GeminiClient
from server.models.gemini.embedder import GeminiEmbedder
from server.models.gemini.language_model import GeminiLanguageModel
from server.models.gemini.options import GeminiOptions
from server.models.gemini.retry import Retrier, RetryPolicy
from tests.support.gemini_endpoint import GeminiEndpoint

API_KEY = "AIza-made-up-key"


async def no_sleep(seconds: float) -> None:
    """A pause that takes no time."""


@pytest.fixture
async def endpoint(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GeminiEndpoint]:
    # Without the proxy of the developer's environment.
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with GeminiEndpoint() as endpoint:
        yield endpoint


@pytest.fixture
async def client(endpoint: GeminiEndpoint) -> AsyncIterator[GeminiClient]:
    retrier = Retrier(RetryPolicy(attempts=3), sleep=no_sleep)
    client = GeminiClient(API_KEY, GeminiOptions(base_url=endpoint.base_url), retrier=retrier)
    yield client
    await client.close()


@pytest.fixture
def embedder(client: GeminiClient) -> GeminiEmbedder:
    return GeminiEmbedder(client, GeminiOptions())


@pytest.fixture
def language_model(client: GeminiClient) -> GeminiLanguageModel:
    return GeminiLanguageModel(client, GeminiOptions(language_model="gemini-2.5-flash"))


@pytest.fixture
def api_key() -> str:
    return API_KEY
