"""Not asking a language model that is away to order hits, so that searches do not wait for it."""

from __future__ import annotations

from collections.abc import Sequence

from server.adapters.circuit_breaker import CircuitBreaker
from server.domain.errors import ModelUnavailable
from server.ports.reranker import Reranker


class GuardedReranker:
    """Implements `server.ports.reranker.Reranker` by another one behind a circuit breaker."""

    def __init__(self, reranker: Reranker, breaker: CircuitBreaker) -> None:
        self._reranker = reranker
        self._breaker = breaker

    @property
    def model(self) -> str:
        """See the port."""
        return self._reranker.model

    async def rerank(self, question: str, texts: Sequence[str]) -> list[float]:
        """See the port."""
        if not self._breaker.admits():
            raise ModelUnavailable(self.model)
        with self._breaker.told(is_failure=lambda error: isinstance(error, ModelUnavailable)):
            return await self._reranker.rerank(question, texts)
