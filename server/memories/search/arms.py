"""The arms of a search that ask others: the graph, and the model that reranks what was found."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog

from server.core.caches import TtlCache
from server.core.clock import Clock
from server.core.errors import (
    DeadlineExceeded,
    GraphBehind,
    GraphUnavailable,
    ModelQuotaExhausted,
    ModelUnavailable,
)
from server.core.request_context import current_request
from server.graph.explore.access import CATCH_UP_SECONDS, CaughtUp
from server.graph.model import StatedRelation
from server.graph.ports import GraphReader, GraphScope
from server.memories.passages import Hit
from server.memories.scope import Scope
from server.memories.search.graph_clues import names_in, scores_of
from server.memories.search.ranking import RERANKED, Arm, DegradedArm, reordered
from server.models.ports import Reranker, RerankFailed
from server.telemetry.recording import record_search_arm, stage

BELIEVED_SECONDS: Final = 5.0
"""For how long a scope without entities is not looked at again."""

_KNOWN_SCOPES: Final = 10_000
_SHARE_FOR_THE_GRAPH: Final = 0.5


@dataclass(frozen=True, slots=True)
class GraphFindings:
    """What the graph proposes: memories with scores, the relations of the entities in the question.

    `degraded` says why it could not.
    """

    scores: Mapping[UUID, float] = field(default_factory=dict)
    relations: Sequence[StatedRelation] = ()
    degraded: DegradedArm | None = None


class GraphArm:
    """Costs one round trip to the graph; none for a scope recently found without entities.

    A search never fails because of the graph.
    """

    def __init__(self, graph: GraphReader, caught_up: CaughtUp, clock: Clock) -> None:
        self._graph = graph
        self._caught_up = caught_up
        self._clock = clock
        self._empty: TtlCache[tuple[str, Scope], bool] = TtlCache(BELIEVED_SECONDS, _KNOWN_SCOPES)

    async def __call__(
        self, project_id: str, scope: Scope, question: str, position: int | None
    ) -> GraphFindings:
        """Asks the graph; `position` is that of a write that it must hold.

        Raises:
            StoreUnavailable: whether it holds that cannot be found out.
            DeadlineExceeded: the call's time ran out.
        """
        names = names_in(question)
        known = project_id, scope
        if not names or not scope.parts():
            # A question that names its scope in a filter alone is of no one graph space.
            return GraphFindings()
        if position is None and self._empty.get(known):
            return GraphFindings()
        try:
            await self._caught_up(project_id, position, self._patience())
            within = GraphScope(project_id, scope, self._clock.now())
            found = await self._graph.recall(within, names)
        except (GraphBehind, GraphUnavailable) as error:
            record_search_arm(Arm.GRAPH, ran=False)
            if isinstance(error, GraphBehind):
                return _without("the graph has not caught up with the consistency_token")
            return _without("the graph is unavailable")
        record_search_arm(Arm.GRAPH, ran=True)
        if not found.has_entities:
            self._empty.put(known, True)
        near = [clue.stated for clue in found.clues if not clue.through]
        return GraphFindings(scores_of(found.clues), list(dict.fromkeys(near)))

    @staticmethod
    def _patience() -> float:
        """How long to wait for the graph, leaving time for the search itself."""
        return min(CATCH_UP_SECONDS, _SHARE_FOR_THE_GRAPH * current_request().remaining())


def _without(reason: str) -> GraphFindings:
    return GraphFindings(degraded=DegradedArm(Arm.GRAPH, reason))


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
