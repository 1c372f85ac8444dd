"""Two arms of a search: relations, and the model that reranks the hits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

import structlog

from server.core.caches import TtlCache
from server.core.clock import Clock
from server.core.errors import DeadlineExceeded
from server.core.request_context import current_request
from server.core.transient_errors import ModelQuotaExhausted, ModelUnavailable
from server.graph.model import StatedRelation
from server.memories.memory import ArmScore
from server.memories.passages import Hit
from server.memories.ports import MemoryStore
from server.memories.queries import RecallQuery
from server.memories.scope import Scope
from server.memories.search.question_clues import names_in, scores_of
from server.memories.search.ranking import Arm, DegradedArm
from server.models.ports import Reranker, RerankFailed
from server.telemetry.recording import record_search_arm, stage

RERANKED: Final = 30
"""How many of the best hits are reranked, which bounds the cost of a search."""


def reranking_limit(top_k: int) -> int:
    """Returns how many hits to find for reranking, so that hits ranked too low can rise."""
    return max(top_k, RERANKED)


def reordered(hits: Sequence[Hit], scores: Sequence[float]) -> list[Hit]:
    """Returns the hits ordered by `scores`, which belong to the first hits; the others follow.

    Hits with equal scores keep their order. Each hit keeps its own score, to which thresholds
    apply.
    """
    order = sorted(range(len(scores)), key=lambda place: (-scores[place], place))
    first = [
        replace(hits[place], arms=[*hits[place].arms, ArmScore(Arm.RERANK, rank, scores[place])])
        for rank, place in enumerate(order, start=1)
    ]
    return first + list(hits[len(scores) :])


EMPTY_SCOPE_SECONDS: Final = 5.0
"""For how long a scope without relations is not checked again."""

_KNOWN_SCOPES: Final = 10_000


@dataclass(frozen=True, slots=True)
class GraphFindings:
    """Memories that relations propose, with scores, and the relations of the question's entities.

    `degraded` is the reason if the arm could not take part.
    """

    scores: Mapping[UUID, float] = field(default_factory=dict)
    relations: Sequence[StatedRelation] = ()
    degraded: DegradedArm | None = None


class GraphArm:
    """Follows the relations of the entities in a question.

    It costs one connection and mostly one statement of PostgreSQL, which has the relations as soon
    as the memories are stored; Neo4j is not used. It costs nothing for a scope that was recently
    found to have no relations.
    """

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._empty: TtlCache[tuple[str, Scope], bool] = TtlCache(
            EMPTY_SCOPE_SECONDS, _KNOWN_SCOPES
        )

    def query_for(
        self,
        project_id: str,
        scope: Scope,
        question: str,
        *,
        after_write: bool = False,
        with_relations: bool = False,
    ) -> RecallQuery | None:
        """Returns the query for a question; None if no relation can match it.

        `after_write` is whether the client has just written, so that cached knowledge of the scope
        may be outdated.
        """
        if not scope.parts():
            # A search whose scope is only in its filter can span several graph spaces.
            return None
        if not after_write and self._empty.get((project_id, scope)):
            return None
        names = names_in(question)
        if not names:
            return None
        return RecallQuery(project_id, scope, names, self._clock.now(), with_relations)

    async def __call__(self, query: RecallQuery) -> GraphFindings:
        """Returns what the relations of the scope propose for the question.

        Raises:
            StoreUnavailable: PostgreSQL cannot be read.
            DeadlineExceeded: the call's deadline has passed.
        """
        found = await self._store.recall(query)
        record_search_arm(Arm.GRAPH, ran=True)
        if not found.has_entities:
            self._empty.put((query.project_id, query.scope), True)
        return GraphFindings(scores_of(found.clues), found.relations)


# The rest of the time is for the response, because hits without reranking are better than none.
_SHARE_FOR_RERANKING: Final = 0.8

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reranking:
    """The hits, best first, and the model that ordered them.

    If the hits are in the order of the other arms, `degraded` is the reason.
    """

    hits: Sequence[Hit]
    language_model: str | None = None
    degraded: DegradedArm | None = None


class RerankArm:
    """Reranks hits by one call of the language model, or none if there is nothing to order.

    It has `seconds`, but at most a part of the time that the call has left. If the model fails, the
    hits keep their order.
    """

    def __init__(self, reranker: Reranker, seconds: float) -> None:
        self._reranker = reranker
        self._seconds = seconds

    async def __call__(self, question: str, hits: Sequence[Hit]) -> Reranking:
        """Returns the hits in the model's order."""
        if len(hits) <= 1:
            return Reranking(hits)
        texts = [hit.text for hit in hits[:RERANKED]]
        try:
            with stage("rerank"):
                async with asyncio.timeout(self._time_limit()):
                    scores = await self._reranker.rerank(question, texts)
        except RerankFailed as failure:
            return self._unranked(hits, failure.reason)
        except ModelQuotaExhausted:
            return self._unranked(hits, "the quota of the language model is used up")
        except ModelUnavailable:
            return self._unranked(hits, "the language model is unavailable")
        except (TimeoutError, DeadlineExceeded):
            return self._unranked(hits, "the language model did not answer in time")
        record_search_arm(Arm.RERANK, ran=True)
        return Reranking(reordered(hits, scores), self._reranker.model)

    def _time_limit(self) -> float:
        return min(self._seconds, _SHARE_FOR_RERANKING * current_request().remaining())

    def _unranked(self, hits: Sequence[Hit], reason: str) -> Reranking:
        record_search_arm(Arm.RERANK, ran=False)
        log.warning("search.not_reranked", model=self._reranker.model, reason=reason)
        return Reranking(hits, degraded=DegradedArm(Arm.RERANK, reason))
