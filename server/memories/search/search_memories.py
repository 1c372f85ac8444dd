"""Finds the memories that match a query best."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from server.core.clock import Clock
from server.core.values import Vector
from server.graph.model import StatedRelation
from server.memories.filters.filter import Filter
from server.memories.memory import Memory, today
from server.memories.passages import EVERY_SOURCE, Hit, Source
from server.memories.ports import MemoryStore
from server.memories.queries import RecallQuery, SearchQuery
from server.memories.scope import Scope
from server.memories.search.arms import (
    GraphArm,
    GraphFindings,
    RerankArm,
    Reranking,
    reranking_limit,
)
from server.memories.search.question_clues import with_preference_words
from server.memories.search.question_times import times_in
from server.memories.search.ranking import Arm, ArmWeights, DegradedArm
from server.models.ports import Embedder, EmbeddingPurpose
from server.telemetry.recording import record_search_arm, stage

DEFAULT_TOP_K = 10


@dataclass(frozen=True, slots=True)
class SearchMemoriesCommand:
    """A search. The result reflects the write at `position`.

    `as_of` is the past instant to search; None means now. `rerank` has a language model reorder the
    best hits. `reference_time` is when the question is asked, to resolve times such as "last May";
    None means `as_of`. With `explain`, each hit has the scores of the arms that found it.
    `latest_only` leaves out memories whose functional relations have all been superseded; it cannot
    be combined with `as_of`.
    """

    project_id: str
    scope: Scope
    query: str
    top_k: int = DEFAULT_TOP_K
    threshold: float | None = None
    categories: Sequence[str] = ()
    show_expired: bool = False
    filters: Filter | None = None
    rerank: bool = False
    with_relations: bool = False
    position: int | None = None
    as_of: datetime | None = None
    sources: frozenset[Source] = EVERY_SOURCE
    reference_time: datetime | None = None
    explain: bool = False
    latest_only: bool = False


@dataclass(frozen=True, slots=True)
class SearchMemoriesOutcome:
    """The hits, best first, and the models that took part.

    `language_model` is the model that reranked the hits. `degraded` are the arms that could not
    take part. `relations` are the relations that the hits state and the relations of the entities
    in the question, if they were requested.
    """

    hits: Sequence[Hit]
    embedding_model: str
    language_model: str | None = None
    degraded: Sequence[DegradedArm] = ()
    relations: Sequence[StatedRelation] = ()


class SearchMemories:
    """Costs one embedding and two round trips to PostgreSQL, or one if all hits are cached.

    The graph arm works during the embedding. Reranking costs one call of the language model.
    """

    def __init__(
        self,
        store: MemoryStore,
        embedder: Embedder,
        clock: Clock,
        graph: GraphArm,
        rerank: RerankArm,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._clock = clock
        self._graph = graph
        self._rerank = rerank

    async def __call__(self, command: SearchMemoriesCommand) -> SearchMemoriesOutcome:
        """Returns the best hits.

        Raises:
            ModelUnavailable, ModelQuotaExhausted, StoreUnavailable.
        """
        vector, findings = await self._embed_and_recall(command)
        reranking = await self._find(command, vector, findings)
        hits = reranking.hits[: command.top_k]
        return SearchMemoriesOutcome(
            hits,
            self._embedder.model,
            reranking.language_model,
            degraded=[part for part in (findings.degraded, reranking.degraded) if part],
            relations=_relations(command, hits, findings),
        )

    async def _find(
        self, command: SearchMemoriesCommand, vector: Vector, findings: GraphFindings
    ) -> Reranking:
        now = command.as_of or self._clock.now()
        question_times = times_in(command.query, command.reference_time or now)
        query = SearchQuery(
            project_id=command.project_id,
            scope=command.scope,
            vector=vector,
            limit=reranking_limit(command.top_k) if command.rerank else command.top_k,
            visible_on=None if command.show_expired else today(now),
            categories=command.categories,
            threshold=command.threshold,
            filters=command.filters,
            text=with_preference_words(command.query),
            meanings=self._embedder.meanings(command.query),
            graph=findings.scores,
            time=command.as_of,
            sources=command.sources,
            question_times=question_times,
            explain=command.explain,
            latest_at=now if command.latest_only else None,
            weights=ArmWeights(dense=self._embedder.dense_weight),
        )
        with stage("search"):
            hits = await self._store.search(query)
        for arm in Arm.DENSE, Arm.LEXICAL:
            record_search_arm(arm, ran=True)
        if question_times:
            record_search_arm(Arm.TIME, ran=True)
        return await self._rerank(command.query, hits) if command.rerank else Reranking(hits)

    async def _embed_and_recall(
        self, command: SearchMemoriesCommand
    ) -> tuple[Vector, GraphFindings]:
        """Returns the question's vector and the graph's findings, computed in parallel."""
        if command.as_of is not None:
            reason = "the graph holds the present only"
            findings = GraphFindings(degraded=DegradedArm(Arm.GRAPH, reason))
            return await self._embed(command.query), findings
        query = self._graph.query_for(
            command.project_id,
            command.scope,
            command.query,
            after_write=command.position is not None,
            with_relations=command.with_relations,
        )
        if query is None:
            return await self._embed(command.query), GraphFindings()
        graph = asyncio.create_task(self._recall(query))
        try:
            return await self._embed(command.query), await graph
        finally:
            graph.cancel()

    async def _embed(self, question: str) -> Vector:
        with stage("embed"):
            vectors = await self._embedder.embed([question], EmbeddingPurpose.QUERY)
        return vectors[0]

    async def _recall(self, query: RecallQuery) -> GraphFindings:
        with stage("graph"):
            return await self._graph(query)


def _relations(
    command: SearchMemoriesCommand, hits: Sequence[Hit], findings: GraphFindings
) -> list[StatedRelation]:
    """Returns the relations of the hits, then those of the entities in the question, each once."""
    if not command.with_relations:
        return []
    stated = (
        StatedRelation(relation, hit.id, hit.found.event_time)
        for hit in hits
        if isinstance(hit.found, Memory)
        for relation in hit.found.relations
    )
    return list({_identity(each): each for each in (*stated, *findings.relations)}.values())


def _identity(stated: StatedRelation) -> tuple[UUID, str, str, str]:
    return stated.memory_id, *stated.relation.identity
