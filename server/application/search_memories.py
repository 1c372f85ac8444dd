"""Finding the memories that fit a query best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.domain.filters import Filter
from server.domain.memory import ScoredMemory, today
from server.domain.ranking import DegradedArm, weights_for
from server.domain.scope import Scope
from server.ports.clock import Clock
from server.ports.embedder import Embedder, EmbeddingPurpose
from server.ports.memory_store import MemoryStore, SearchQuery

DEFAULT_TOP_K = 10


@dataclass(frozen=True, slots=True)
class SearchMemoriesCommand:
    """What to look for, and where."""

    project_id: str
    scope: Scope
    query: str
    top_k: int = DEFAULT_TOP_K
    threshold: float | None = None
    categories: Sequence[str] = ()
    show_expired: bool = False
    filters: Filter | None = None


@dataclass(frozen=True, slots=True)
class SearchMemoriesOutcome:
    """The hits, best first, and the model that compared them with the query.

    `degraded` are the arms that could not take part.
    """

    hits: Sequence[ScoredMemory]
    embedding_model: str
    degraded: Sequence[DegradedArm] = ()


class SearchMemories:
    """Costs one embedding and two database round trips."""

    def __init__(self, store: MemoryStore, embedder: Embedder, clock: Clock) -> None:
        self._store = store
        self._embedder = embedder
        self._clock = clock

    async def __call__(self, command: SearchMemoriesCommand) -> SearchMemoriesOutcome:
        """Searches.

        Raises:
            ModelUnavailable, ModelQuotaExhausted, StoreUnavailable.
        """
        vectors = await self._embedder.embed([command.query], EmbeddingPurpose.QUERY)
        hits = await self._store.search(
            SearchQuery(
                project_id=command.project_id,
                scope=command.scope,
                vector=vectors[0],
                limit=command.top_k,
                visible_on=None if command.show_expired else today(self._clock.now()),
                categories=command.categories,
                threshold=command.threshold,
                filters=command.filters,
                text=command.query,
                weights=weights_for(self._embedder.model),
            )
        )
        return SearchMemoriesOutcome(hits, self._embedder.model)
