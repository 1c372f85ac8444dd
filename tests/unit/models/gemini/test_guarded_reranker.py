"""A reranker that is away is not asked again and again; one that answers badly is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from server.core.circuit_breaker import CircuitBreaker
from server.core.errors import ModelUnavailable
from server.models.gemini.reranker import GuardedReranker
from server.models.ports import RerankFailed

MODEL = "test/model"


class Faulty:
    """A reranker whose every call fails."""

    model = MODEL

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.calls = 0

    async def rerank(self, question: str, texts: Sequence[str]) -> list[float]:
        self.calls += 1
        raise self.error


async def ask(error: Exception, times: int) -> int:
    """How many of the calls reached the reranker."""
    faulty = Faulty(error)
    guarded = GuardedReranker(faulty, CircuitBreaker("test", failures=3, pause=60.0))
    assert guarded.model == MODEL
    for _ in range(times):
        with pytest.raises(type(error)):
            await guarded.rerank("Where?", ["here", "there"])
    return faulty.calls


async def test_one_that_is_away_is_left_alone() -> None:
    assert await ask(ModelUnavailable(MODEL), 10) == 3


async def test_one_that_answers_badly_is_asked_again() -> None:
    assert await ask(RerankFailed("it speaks of something else"), 10) == 10
