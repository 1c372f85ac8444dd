"""Searches: both arms score the scope in one statement, and another statement reads the best.

A frequently searched scope is scored from an index in memory, which the first statement checks (ADR
0054). In other large scopes, only memories that can be among the best are compared (ADR 0021).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from cachetools import TTLCache

from server.core.request_context import take_turn
from server.memories.passages import EVERY_SOURCE, Hit, Source
from server.memories.queries import SearchQuery
from server.memories.scope import Scope
from server.memories.search.fusion import Scored, fuse
from server.memories.search.ranking import Arm, Ranked
from server.storage.postgres.candidates import (
    Candidates,
    Connect,
    FoundItems,
    candidates_of,
)
from server.storage.postgres.filters import reading
from server.storage.postgres.scope_indexes import ScopeIndexes
from server.storage.postgres.search_statements import (
    ScopeSize,
    rank_large_statement,
    rank_statement,
)
from server.storage.postgres.vector_index import VectorIndex, cast_to
from server.telemetry.recording import record_candidates

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection, Database
    from server.storage.postgres.rows import Row


EMPTY: Final = ScopeSize(0.0, 0.0)

LARGE: Final = 2_000
"""The size from which a scope is searched by candidates; below, comparing all is faster."""

ITEMS_DIVISOR: Final = 8
"""The cache of found items may take an eighth of the bytes that the indexes may take."""

_MOST_SCOPES: Final = 10_000
_ScopeKey: TypeAlias = tuple[str, Scope, frozenset[Source]]

_TRUSTED_SECONDS: Final = 600.0
"""How long a size is used; the statistics of words change little in that time."""


class ScopeSizes:
    """The sizes of recently searched scopes with `large` memories or more."""

    def __init__(self, large: int = LARGE, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._large = large
        self._sizes: TTLCache[_ScopeKey, ScopeSize] = TTLCache(
            _MOST_SCOPES, _TRUSTED_SECONDS, monotonic
        )

    def of(
        self, project_id: str, scope: Scope, sources: frozenset[Source] = EVERY_SOURCE
    ) -> ScopeSize | None:
        """Returns the size of a scope if it is known to be large."""
        return self._sizes.get((project_id, scope, sources))

    def record(
        self,
        project_id: str,
        scope: Scope,
        size: ScopeSize,
        sources: frozenset[Source] = EVERY_SOURCE,
    ) -> None:
        """Stores the size that a search of the whole scope found."""
        place = project_id, scope, sources
        if size.memories < self._large:
            self._sizes.pop(place, None)
        else:
            self._sizes[place] = size


class Searches:
    """Searches a database, large scopes by candidates."""

    def __init__(
        self,
        database: Database,
        sizes: ScopeSizes | None = None,
        indexes: ScopeIndexes | None = None,
    ) -> None:
        self._database = database
        self._sizes = sizes or ScopeSizes()
        self._indexes = indexes or ScopeIndexes(database)
        self._items = FoundItems(self._indexes.most_bytes // ITEMS_DIVISOR)
        self._index = VectorIndex()

    async def search(self, query: SearchQuery) -> list[Hit]:
        """Returns the best hits, best first; see `MemoryStore.search`.

        A hit that is deleted between the two statements is left out.
        """
        if not _is_of_whole_scope(query):
            return await self._by_statement(query)
        async with self._indexes.limited_during_load(query):
            if (held := await self._indexes.rank(query)) is not None:
                return await self._hits(query, held, self._database.connection)
            return await self._by_statement(query)

    async def _by_statement(self, query: SearchQuery) -> list[Hit]:
        async with reading(self._database, query.filters) as connection:
            candidates = candidates_of(await self._rank(connection, query))
            return await self._hits(query, candidates, lambda: nullcontext(connection))

    async def _hits(
        self, query: SearchQuery, candidates: Candidates, connect: Connect
    ) -> list[Hit]:
        ranked = _fused(query, candidates)
        identities = [candidates.identity_of(each.number) for each in ranked]
        found = await self._items.read(connect, query, identities)
        return [
            Hit(item, each.score, each.arms)
            for each, item in zip(ranked, found, strict=True)
            if item is not None
        ]

    async def _rank(self, connection: Connection, query: SearchQuery) -> Sequence[Row]:
        if query.time is not None or query.filters is not None or query.categories:
            # The search may cover only a small part of the scope.
            return await _compare_all(connection, query)
        size = self._sizes.of(query.project_id, query.scope, query.sources)
        if size is None:
            rows = await _compare_all(connection, query)
            size = ScopeSize(rows[0]["size"], rows[0]["mean_length"]) if rows else EMPTY
            self._sizes.record(query.project_id, query.scope, size, query.sources)
        else:
            rows = await self._compare_likely(connection, query, size)
        if _is_of_whole_scope(query):
            self._indexes.note(query, size.memories)
        return rows

    async def _compare_likely(
        self, connection: Connection, query: SearchQuery, size: ScopeSize
    ) -> Sequence[Row]:
        dimensions = len(query.vector)
        is_indexed = await self._index.serves(connection, dimensions, size.memories)
        cast = cast_to(dimensions) if is_indexed else ""
        rows = await connection.fetch(*rank_large_statement(query, size, cast))
        await take_turn()
        return rows


def _is_of_whole_scope(query: SearchQuery) -> bool:
    """Whether the search needs nothing that indexes in memory lack."""
    return (
        query.time is None
        and query.filters is None
        and not query.categories
        and query.latest_at is None
    )


async def _compare_all(connection: Connection, query: SearchQuery) -> Sequence[Row]:
    rows = await connection.fetch(*rank_statement(query))
    await take_turn()
    return rows


def _fused(query: SearchQuery, candidates: Candidates) -> list[Ranked]:
    scored = candidates.scored(query)
    _record(scored)
    return fuse(scored, query.weights, query.limit, query.threshold, explain=query.explain)


def _record(scored: Scored) -> None:
    """Records how many candidates each arm proposed."""
    record_candidates(Arm.DENSE, len(scored.dense))
    columns = {Arm.LEXICAL: scored.lexical, Arm.GRAPH: scored.graph, Arm.TIME: scored.time}
    for arm, scores in columns.items():
        if scores is not None:
            record_candidates(arm, int(np.count_nonzero(scores > 0)))
