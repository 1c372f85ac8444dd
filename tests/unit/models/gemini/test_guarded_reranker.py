"""An unavailable reranker is not called for a while; one with unusable answers is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from server.core.circuit_breaker import CircuitBreaker
from server.core.transient_errors import ModelUnavailable
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
    """Returns how many of the calls reached the reranker."""
    faulty = Faulty(error)
    guarded = GuardedReranker(faulty, CircuitBreaker("test", failures=3, pause=60.0))
    assert guarded.model == MODEL
    for _ in range(times):
        with pytest.raises(type(error)):
            await guarded.rerank("Where?", ["here", "there"])
    return faulty.calls


async def test_an_unavailable_reranker_is_not_called() -> None:
    assert await ask(ModelUnavailable(MODEL), 10) == 3


async def test_a_reranker_with_unusable_answers_is_called_again() -> None:
    assert await ask(RerankFailed("it speaks of something else"), 10) == 10
