"""The language model's arm of a search: it orders what the others have found."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from server.domain.errors import DeadlineExceeded, ModelQuotaExhausted, ModelUnavailable
from server.domain.passages import Hit
from server.domain.ranking import Arm, DegradedArm
from server.domain.request_context import current_request
from server.domain.reranking import RERANKED, reordered
from server.ports.reranker import Reranker, RerankFailed
from server.telemetry.recording import record_search_arm, stage

# The rest is for the answer: hits in a lesser order are worth more than none.
_SHARE_FOR_WAITING: Final = 0.8

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reranking:
    """The hits, best first, and the model that was asked.

    `degraded` says why they are in the order of the other arms.
    """

    hits: Sequence[Hit]
    language_model: str | None = None
    degraded: DegradedArm | None = None


class RerankArm:
    """Costs one call of the language model, and none where there is nothing to order.

    It has `seconds`, or most of what the call has left. Whatever becomes of the model, the hits are
    answered.
    """

    def __init__(self, reranker: Reranker, seconds: float) -> None:
        self._reranker = reranker
        self._seconds = seconds

    async def __call__(self, question: str, hits: Sequence[Hit]) -> Reranking:
        """The hits in the model's order."""
        if len(hits) <= 1:
            return Reranking(hits)
        texts = [hit.text for hit in hits[:RERANKED]]
        try:
            with stage("rerank"):
                async with asyncio.timeout(self._patience()):
                    scores = await self._reranker.rerank(question, texts)
        except RerankFailed as failure:
            return self._without(hits, failure.reason)
        except ModelQuotaExhausted:
            return self._without(hits, "the quota of the language model is used up")
        except ModelUnavailable:
            return self._without(hits, "the language model is unavailable")
        except (TimeoutError, DeadlineExceeded):
            return self._without(hits, "the language model did not answer in time")
        record_search_arm(Arm.RERANK, ran=True)
        return Reranking(reordered(hits, scores), self._reranker.model)

    def _patience(self) -> float:
        return min(self._seconds, _SHARE_FOR_WAITING * current_request().remaining())

    def _without(self, hits: Sequence[Hit], reason: str) -> Reranking:
        record_search_arm(Arm.RERANK, ran=False)
        _log.warning("search.not_reranked", model=self._reranker.model, reason=reason)
        return Reranking(hits, degraded=DegradedArm(Arm.RERANK, reason))
