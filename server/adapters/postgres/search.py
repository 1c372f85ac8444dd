"""Searching: both arms score the scope in one statement, and the best are read in another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.adapters.postgres.filter_condition import filter_condition
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
    Ranked,
    Scored,
    candidate_count,
    fuse,
)
from server.domain.scope import Scope
from server.ports.memory_store import SearchQuery

if TYPE_CHECKING:
    from server.adapters.postgres.pool import Connection, Database

SQL = load_statements("server.adapters.postgres.sql", "search.sql")
_COLUMNS = load_statements("server.adapters.postgres.sql", "read.sql")["memory_columns"]
READ_HITS = SQL["read_hits"].replace("{columns}", _COLUMNS)


async def search(database: Database, query: SearchQuery) -> list[ScoredMemory]:
    """The best hits, best first; see `MemoryStore.search`.

    A hit that is deleted between the two statements is left out.
    """
    async with database.connection() as connection:
        ranked = await _rank(connection, query)
        rows = await connection.fetch(
            READ_HITS, query.project_id, [hit.memory_id for hit in ranked], query.visible_on
        )
    memories = {row["memory_id"]: to_memory(row) for row in rows}
    return [
        ScoredMemory(memories[hit.memory_id], hit.score, hit.arms)
        for hit in ranked
        if hit.memory_id in memories
    ]


def rank_statement(scope: Scope, filters: Filter | None = None) -> tuple[str, list[object]]:
    """The statement for a scope with these parts and a filter, and the last values to bind."""
    condition, values = scope_condition(scope, first_parameter=13)
    matching, bound = filter_condition(filters, first_parameter=13 + len(values))
    narrowed = SQL["narrowed"].replace("{scope}", condition).replace("{filters}", matching)
    return SQL["rank"].replace("{narrowed}", narrowed), [*values, *bound]


async def _rank(connection: Connection, query: SearchQuery) -> list[Ranked]:
    statement, values = rank_statement(query.scope, query.filters)
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
    return fuse(candidates, query.weights, query.limit, query.threshold)
