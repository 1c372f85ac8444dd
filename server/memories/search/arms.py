"""Arms of a search beside words and vectors: relations, and the model that reranks the hits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

import structlog

from server.core.caches import TtlCache
from server.core.errors import (
    DeadlineExceeded,
    ModelQuotaExhausted,
    ModelUnavailable,
)
from server.core.request_context import current_request
from server.core.values import Clock
from server.graph.model import StatedRelation
from server.graph.ports import RecallQuery, RelationRecall
from server.memories.memory import ArmScore
from server.memories.passages import Hit
from server.memories.scope import Scope
from server.memories.search.graph_clues import names_in, scores_of
from server.memories.search.ranking import Arm, DegradedArm
from server.models.ports import Reranker, RerankFailed
from server.telemetry.recording import record_search_arm, stage

RERANKED: Final = 30
"""How many hits are ordered once more, the best of the other arms; it bounds a question's cost."""


def reranking_limit(top_k: int) -> int:
    """How many hits are needed, so that one that the other arms rank too low can come up."""
    return max(top_k, RERANKED)


def reordered(hits: Sequence[Hit], scores: Sequence[float]) -> list[Hit]:
    """The hits by these scores, of the first of them, from 0 to 1; those without one come after.

    Equals keep their order, and each hit keeps its own score: the one that thresholds bound.
    """
    order = sorted(range(len(scores)), key=lambda place: (-scores[place], place))
    first = [
        replace(hits[place], arms=[*hits[place].arms, ArmScore(Arm.RERANK, rank, scores[place])])
        for rank, place in enumerate(order, start=1)
    ]
    return first + list(hits[len(scores) :])


BELIEVED_SECONDS: Final = 5.0
"""For how long a scope without relations is not looked at again."""

_KNOWN_SCOPES: Final = 10_000


@dataclass(frozen=True, slots=True)
class GraphFindings:
    """What relations propose: memories with scores, the relations of the entities in the question.

    `degraded` says why it could not.
    """

    scores: Mapping[UUID, float] = field(default_factory=dict)
    relations: Sequence[StatedRelation] = ()
    degraded: DegradedArm | None = None


class GraphArm:
    """Follows the relations of the entities in a question.

    It costs one connection and a few statements of PostgreSQL, which knows the relations as soon as
    the memories are stored; Neo4j is not asked. It costs nothing for a scope that was just found to
    have no relations.
    """

    def __init__(self, recall: RelationRecall, clock: Clock) -> None:
        self._recall = recall
        self._clock = clock
        self._empty: TtlCache[tuple[str, Scope], bool] = TtlCache(BELIEVED_SECONDS, _KNOWN_SCOPES)

    def query_for(
        self,
        project_id: str,
        scope: Scope,
        question: str,
        *,
        after_write: bool = False,
        with_relations: bool = False,
    ) -> RecallQuery | None:
        """Returns what to ask for a question; None if relations have nothing to say about it.

        `after_write` says that the client has just written, so what is remembered of the scope may
        be out of date.
        """
        if not scope.parts():
            # A question that names its scope in a filter alone is of no one graph space.
            return None
        if not after_write and self._empty.get((project_id, scope)):
            return None
        names = names_in(question)
        if not names:
            return None
        return RecallQuery(project_id, scope, names, self._clock.now(), with_relations)

    async def __call__(self, query: RecallQuery) -> GraphFindings:
        """Returns what the relations in the scope make of the question.

        Raises:
            StoreUnavailable: PostgreSQL cannot be read.
            DeadlineExceeded: the call's time ran out.
        """
        found = await self._recall.recall(query)
        record_search_arm(Arm.GRAPH, ran=True)
        if not found.has_entities:
            self._empty.put((query.project_id, query.scope), True)
        return GraphFindings(scores_of(found.clues), found.relations)


# The rest is for the answer: hits in a lesser order are worth more than none.
_SHARE_FOR_RERANKING: Final = 0.8

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

    It has `seconds`, or most of what the call has left. If the model fails, the hits are still
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
        return min(self._seconds, _SHARE_FOR_RERANKING * current_request().remaining())

    def _without(self, hits: Sequence[Hit], reason: str) -> Reranking:
        record_search_arm(Arm.RERANK, ran=False)
        _log.warning("search.not_reranked", model=self._reranker.model, reason=reason)
        return Reranking(hits, degraded=DegradedArm(Arm.RERANK, reason))
