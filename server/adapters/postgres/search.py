"""Searching: both arms score the scope in one statement, and the best are read in another."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from server.adapters.postgres.filter_condition import filter_condition
from server.adapters.postgres.memory_history import state_columns
from server.adapters.postgres.rows import to_memory
from server.adapters.postgres.scope_condition import scope_condition
from server.adapters.postgres.vectors import to_halfvec
from server.adapters.statements import load_statements
from server.domain.filters import Filter
from server.domain.memory import ScoredMemory
from server.domain.ranking import (
    BM25_B,
    BM25_K1,
    CENTRE_SAMPLE,
    CENTRE_SHRINKAGE,
    CONTEXT_SHARE,
    Arm,
    Ranked,
    Scored,
    candidate_count,
    fuse,
)
from server.domain.scope import Scope
from server.ports.memory_store import SearchQuery
from server.telemetry.recording import record_candidates

if TYPE_CHECKING:
    from server.adapters.postgres.pool import Connection, Database
    from server.adapters.postgres.rows import Row

SQL = load_statements("server.adapters.postgres.sql", "search.sql")
_COLUMNS = load_statements("server.adapters.postgres.sql", "read.sql")["memory_columns"]
READ_HITS = SQL["read_hits"].replace("{columns}", _COLUMNS)
READ_PAST_HITS = SQL["read_past_hits"].replace("{columns}", state_columns())


async def search(database: Database, query: SearchQuery) -> list[ScoredMemory]:
    """The best hits, best first; see `MemoryStore.search`.

    A hit that is deleted between the two statements is left out.
    """
    async with database.connection() as connection:
        ranked = await _rank(connection, query)
        rows = await _read_hits(connection, query, [hit.memory_id for hit in ranked])
    memories = {row["memory_id"]: to_memory(row) for row in rows}
    return [
        ScoredMemory(memories[hit.memory_id], hit.score, hit.arms)
        for hit in ranked
        if hit.memory_id in memories
    ]


async def _read_hits(
    connection: Connection, query: SearchQuery, ids: Sequence[UUID]
) -> Sequence[Row]:
    if query.time is None:
        return await connection.fetch(READ_HITS, query.project_id, ids, query.visible_on)
    return await connection.fetch(
        READ_PAST_HITS, query.project_id, ids, query.visible_on, query.time
    )


def rank_statement(
    scope: Scope, filters: Filter | None = None, time: datetime | None = None
) -> tuple[str, list[object]]:
    """The statement for a scope with these parts, a filter and perhaps a past instant.

    Answered with the last values to bind.
    """
    condition, values = scope_condition(scope, first_parameter=13)
    matching, bound = filter_condition(filters, first_parameter=13 + len(values))
    narrowed = SQL["narrowed"].replace("{scope}", condition).replace("{filters}", matching)
    statement = SQL["rank"].replace("{narrowed}", narrowed)
    last = [*values, *bound]
    if time is None:
        return statement.replace("{past}", "").replace("{memories}", "memories"), last
    past = (
        SQL["past"]
        .replace("{scope}", condition.replace("m.", "origin."))
        .replace("{time}", f"${13 + len(last)}::timestamptz")
    )
    return statement.replace("{past}", f"{past},\n").replace("{memories}", "past"), [*last, time]


async def _rank(connection: Connection, query: SearchQuery) -> list[Ranked]:
    statement, values = rank_statement(query.scope, query.filters, query.time)
    rows = await connection.fetch(
        statement,
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
        *values,
    )
    candidates = [
        Scored(
            row["memory_id"], row["dense"], row["lexical"], query.graph.get(row["memory_id"], 0.0)
        )
        for row in rows
    ]
    _record(candidates)
    return fuse(candidates, query.weights, query.limit, query.threshold)


def _record(candidates: Sequence[Scored]) -> None:
    record_candidates(Arm.DENSE, len(candidates))
    record_candidates(Arm.LEXICAL, sum(candidate.lexical > 0 for candidate in candidates))
    record_candidates(Arm.GRAPH, sum(candidate.graph > 0 for candidate in candidates))
