"""Searching: both arms score the scope in one statement, and the best are read in another.

In a large scope only the memories that can be among the best are compared (ADR 0021).
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias
from uuid import UUID

from server.memories.filters.filter import Filter
from server.memories.memory import Memory, ScoredMemory
from server.memories.passages import EVERY_SOURCE, Hit, Passage, ScoredPassage, Source
from server.memories.ports import SearchQuery
from server.memories.scope import Scope
from server.memories.search.ranking import (
    BM25_B,
    BM25_K1,
    CENTRE_SAMPLE,
    CENTRE_SHRINKAGE,
    CONTEXT_SHARE,
    FAR_SHARE,
    PAIR_REACH,
    PAIR_SHARE,
    REACH,
    SITTING,
    Arm,
    Ranked,
    Scored,
    candidate_count,
    fuse,
)
from server.memories.search.asked_speaker import speakers_asked
from server.memories.search.time_spans import closeness
from server.storage.postgres.filters import filter_condition, scope_condition
from server.storage.postgres.memory_history import state_columns
from server.storage.postgres.rows import to_halfvec, to_memory, to_passage
from server.storage.postgres.vector_index import VectorIndex, cast_to
from server.storage.statements import load_statements
from server.telemetry.recording import record_candidates

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection, Database
    from server.storage.postgres.rows import Row


LARGE: Final = 2_000
"""Memories from which a scope is searched by candidates: below, comparing all of them is faster."""

_MOST_SCOPES: Final = 10_000
_Place: TypeAlias = tuple[str, Scope, frozenset[Source]]

_TRUSTED_SECONDS: Final = 600.0
"""How long a size is used. The statistics of words change little within that."""


@dataclass(frozen=True, slots=True)
class ScopeSize:
    """How many searched items a scope holds, and their mean length in characters."""

    memories: float
    mean_length: float


class ScopeSizes:
    """The sizes of the scopes that were searched lately and hold `large` memories or more."""

    def __init__(self, large: int = LARGE, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._large = large
        self._monotonic = monotonic
        self._sizes: OrderedDict[_Place, tuple[float, ScopeSize]] = OrderedDict()

    def of(
        self, project_id: str, scope: Scope, sources: frozenset[Source] = EVERY_SOURCE
    ) -> ScopeSize | None:
        """The size of a scope if it is known to be large."""
        known = self._sizes.get((project_id, scope, sources))
        if known is None or self._monotonic() - known[0] > _TRUSTED_SECONDS:
            return None
        return known[1]

    def learn(
        self,
        project_id: str,
        scope: Scope,
        size: ScopeSize,
        sources: frozenset[Source] = EVERY_SOURCE,
    ) -> None:
        """Remembers the size that a search of the whole scope found."""
        place = project_id, scope, sources
        self._sizes.pop(place, None)
        if size.memories < self._large:
            return
        while len(self._sizes) >= _MOST_SCOPES:
            self._sizes.popitem(last=False)
        self._sizes[place] = self._monotonic(), size


_PACKAGE = "server.storage.postgres"
_BLOCKS = load_statements(_PACKAGE, "ranking.sql")
SQL = load_statements(_PACKAGE, "search.sql", blocks=_BLOCKS)
RANK_LARGE = load_statements(_PACKAGE, "search_large.sql", blocks=_BLOCKS)["rank_large"]
NEAREST_PER_CANDIDATE = 2
"""The nearest are found before they are centred, which changes their order a little."""

_COLUMNS = load_statements(_PACKAGE, "read.sql")["memory_columns"]
READ_HITS = SQL["read_hits"].replace("{columns}", _COLUMNS)
READ_PAST_HITS = SQL["read_past_hits"].replace("{columns}", state_columns())
PASSAGES = load_statements(_PACKAGE, "passages.sql")
READ_PASSAGES = PASSAGES["read"].replace("{columns}", PASSAGES["columns"])
_PRESENT = {Source.MEMORIES: SQL["of_memories"], Source.PASSAGES: PASSAGES["present"]}
_PAST = {Source.MEMORIES: SQL["past_memories"], Source.PASSAGES: PASSAGES["past"]}


class Searches:
    """Searches of a database. Remembers which scopes are large: those are searched otherwise."""

    def __init__(self, database: Database, sizes: ScopeSizes | None = None) -> None:
        self._database = database
        self._sizes = sizes or ScopeSizes()
        self._index = VectorIndex()

    async def search(self, query: SearchQuery) -> list[Hit]:
        """The best hits, best first; see `MemoryStore.search`.

        A hit that is deleted between the two statements is left out.
        """
        async with self._database.connection() as connection:
            ranked = _fused(query, await self._rank(connection, query))
            ids = [hit.memory_id for hit in ranked]
            memories = await _read_memories(connection, query, ids)
            others = [id_ for id_ in ids if id_ not in memories]
            passages = await _read_passages(connection, query, others)
        hits: list[Hit] = []
        for hit in ranked:
            if memory := memories.get(hit.memory_id):
                hits.append(ScoredMemory(memory, hit.score, hit.arms))
            elif passage := passages.get(hit.memory_id):
                hits.append(ScoredPassage(passage, hit.score, hit.arms))
        return hits

    async def _rank(self, connection: Connection, query: SearchQuery) -> Sequence[Row]:
        if query.time is not None or query.filters is not None or query.categories:
            # What is asked for may be a small part of the scope, or is not in its indexes.
            return await _compare_all(connection, query)
        size = self._sizes.of(query.project_id, query.scope, query.sources)
        if size is not None:
            return await self._compare_likely(connection, query, size)
        rows = await _compare_all(connection, query)
        if rows:
            found = ScopeSize(rows[0]["size"], rows[0]["mean_length"])
            self._sizes.learn(query.project_id, query.scope, found, query.sources)
        return rows

    async def _compare_likely(
        self, connection: Connection, query: SearchQuery, size: ScopeSize
    ) -> Sequence[Row]:
        dimensions = len(query.vector)
        is_indexed = await self._index.serves(connection, dimensions, size.memories)
        cast = cast_to(dimensions) if is_indexed else ""
        statement, values = rank_large_statement(query.scope, cast, query.sources)
        nearest = NEAREST_PER_CANDIDATE * candidate_count(query.limit)
        return await connection.fetch(
            statement,
            *_shared_values(query),
            *(size.memories, size.mean_length, nearest),
            *values,
        )


async def _compare_all(connection: Connection, query: SearchQuery) -> Sequence[Row]:
    statement, values = rank_statement(query.scope, query.filters, query.time, query.sources)
    return await connection.fetch(statement, *_shared_values(query), *values)


async def _read_memories(
    connection: Connection, query: SearchQuery, ids: Sequence[UUID]
) -> dict[UUID, Memory]:
    if Source.MEMORIES not in query.sources:
        return {}
    found = query.project_id, ids, query.visible_on
    rows = (
        await connection.fetch(READ_HITS, *found)
        if query.time is None
        else await connection.fetch(READ_PAST_HITS, *found, query.time)
    )
    return {row["memory_id"]: to_memory(row) for row in rows}


async def _read_passages(
    connection: Connection, query: SearchQuery, ids: Sequence[UUID]
) -> dict[UUID, Passage]:
    if not ids or Source.PASSAGES not in query.sources:
        return {}
    rows = await connection.fetch(
        READ_PASSAGES, query.project_id, ids, query.visible_on, query.time
    )
    return {row["passage_id"]: to_passage(row) for row in rows}


def rank_statement(
    scope: Scope,
    filters: Filter | None = None,
    time: datetime | None = None,
    sources: frozenset[Source] = EVERY_SOURCE,
) -> tuple[str, list[object]]:
    """The statement for a scope with these parts, a filter and perhaps a past instant.

    It compares the whole scope. Also returns the last values to bind.
    """
    condition, values = scope_condition(scope, first_parameter=18)
    matching, bound = filter_condition(filters, first_parameter=18 + len(values))
    project = "$1"
    if time is None and filters is None and len(values) == 1:
        project, condition = _unseen(project), condition.replace("$18", _unseen("$18"))
    statement = (
        SQL["rank"]
        .replace("{project}", project)
        .replace("{scope}", condition)
        .replace("{filters}", matching)
    )
    last = [*values, *bound]
    if time is None:
        rows = f"({_union(_PRESENT, sources)})"
        return statement.replace("{past}", "").replace("{memories}", rows), last
    past = (
        SQL["past"]
        .replace("{rows}", _union(_PAST, sources))
        .replace("{origin}", condition.replace("m.", "origin."))
        .replace("{time}", f"${18 + len(last)}::timestamptz")
    )
    return statement.replace("{past}", f"{past}\n").replace("{memories}", "past"), [*last, time]


def _unseen(parameter: str) -> str:
    """The value of a parameter of type text, hidden from the planner.

    PostgreSQL keeps a plan for any values only if no plan for given values looks cheaper, and plans
    anew for every scope that is smaller than the average. That takes longer than searching a small
    scope, and the plan is the same where one index serves.
    """
    return f"(SELECT {parameter}::text)"


def _union(blocks: Mapping[Source, str], sources: frozenset[Source]) -> str:
    return "\nUNION ALL\n".join(blocks[source] for source in Source if source in sources)


def rank_large_statement(
    scope: Scope, cast: str = "", sources: frozenset[Source] = EVERY_SOURCE
) -> tuple[str, list[str]]:
    """The statement for a large scope, and the last values to bind.

    With a `cast` the nearest vectors are found by the index over that type.
    """
    condition, values = scope_condition(scope, first_parameter=21)
    statement = (
        RANK_LARGE.replace("{project}", "$1")
        .replace("{scope}", condition)
        .replace("{filters}", "true")
    )
    rows = f"({_union(_PRESENT, sources)})"
    return statement.replace("{memories}", rows).replace("{cast}", cast), values


def _shared_values(query: SearchQuery) -> list[object]:
    """The first parameters of both statements."""
    return [
        query.project_id,
        query.visible_on,
        list(query.categories),
        to_halfvec(query.vector),
        query.text,
        BM25_K1,
        BM25_B,
        CONTEXT_SHARE,
        candidate_count(query.limit),
        CENTRE_SHRINKAGE,
        CENTRE_SAMPLE,
        list(query.graph),
        FAR_SHARE,
        REACH,
        SITTING,
        PAIR_SHARE,
        PAIR_REACH,
    ]


def _fused(query: SearchQuery, rows: Sequence[Row]) -> list[Ranked]:
    asked = speakers_asked(query.text, ((row["role"], row["name"]) for row in rows))
    candidates = [
        Scored(
            row["memory_id"],
            row["dense"],
            row["lexical"],
            graph=query.graph.get(row["memory_id"], 0.0),
            time=closeness(row["event_time"], query.question_times),
            speaker_asked=asked is None or (row["role"], row["name"]) in asked,
        )
        for row in rows
    ]
    _record(candidates)
    return fuse(candidates, query.weights, query.limit, query.threshold)


def _record(candidates: Sequence[Scored]) -> None:
    record_candidates(Arm.DENSE, len(candidates))
    record_candidates(Arm.LEXICAL, sum(candidate.lexical > 0 for candidate in candidates))
    record_candidates(Arm.GRAPH, sum(candidate.graph > 0 for candidate in candidates))
    record_candidates(Arm.TIME, sum(candidate.time > 0 for candidate in candidates))
