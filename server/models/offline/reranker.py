"""No reranking: what the offline models can tell, the other arms of a search have told already."""

from __future__ import annotations

from collections.abc import Sequence

from server.models.ports import RerankFailed


class OfflineReranker:
    """Implements `server.models.ports.Reranker` by saying that there is none."""

    @property
    def model(self) -> str:
        """The model's name with its provider."""
        return "offline/none"

    async def rerank(self, question: str, texts: Sequence[str]) -> list[float]:
        """Refuses, always.

        Raises:
            RerankFailed: reads nothing.
        """
        del question, texts
        raise RerankFailed("the offline models do not rerank")
