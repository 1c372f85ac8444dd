"""The statements of searches, and of the index of a scope in a server's memory.

Searches rank all items of a scope, or the likely ones of a large scope.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from uuid import UUID

from server.memories.passages import Source
from server.memories.queries import SearchQuery
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
    candidate_count,
    needs_vectors,
)
from server.storage.postgres.filters import Condition, filter_condition, scope_condition
from server.storage.postgres.rows import FUNCTIONAL, to_halfvec
from server.storage.postgres.scope_index import ScopeIndex
from server.storage.postgres.statements import BoundStatement, SqlStatement, fill_block, load_sql

_SHARED: Final = ("ranking.sql", "passages.sql", "memory_columns.sql", "relations.sql")
SQL: Final = load_sql("search.sql", *_SHARED)
LARGE_SQL: Final = load_sql("search_large.sql", *_SHARED)
INDEX_SQL: Final = load_sql("scope_index.sql")

_HIDDEN: Final = "(SELECT {}::text)"
"""A text parameter, written so that the planner does not see its value.

PostgreSQL reuses a plan only if no plan for the present values looks cheaper. So it would plan
again for every scope that is smaller than the average, which takes longer than searching a small
scope, and yields the same plan anyway.
"""
_VISIBLE: Final = "{}"
"""A parameter whose value the planner sees."""


@dataclass(frozen=True, slots=True)
class ScopeSize:
    """The number of searched items in a scope, and their mean length in characters."""

    memories: float
    mean_length: float


def rank_statement(query: SearchQuery) -> BoundStatement:
    """Returns the statement that compares the whole scope, now or at a past instant."""
    is_past = query.time is not None
    value = _VISIBLE if is_past else scope_notation(query)
    scope = scope_condition(query.scope, value=value)
    conditions = _conditions(query)
    origin = scope_condition(query.scope, table="origin").text
    past = f"{fill_block(SQL.blocks['past_cte'], rows=_past(query, origin))}\n" if is_past else ""
    statement = SQL["rank"].fill(
        past=past,
        memories="past" if is_past else _present(query),
        project=value.format(":project_id"),
        scope=scope.text,
        filters=conditions.text,
    )
    time = {"time": query.time} if is_past else {}
    return statement(**_shared_values(query), **{**scope.values, **conditions.values}, **time)


def rank_large_statement(query: SearchQuery, size: ScopeSize, cast: str = "") -> BoundStatement:
    """Returns the statement that scores the candidates of a large scope.

    With a `cast` the nearest vectors are found with the index over that type.
    """
    value = _VISIBLE if cast else scope_notation(query)
    scope = scope_condition(query.scope, value=value)
    conditions = _conditions(query)
    compared, nearest = (
        ("compared_by_words", "nearest_by_index")
        if cast
        else ("compared_in_one_scan", "nearest_of_compared")
    )
    slots = {
        "memories": _present(query),
        "project": value.format(":project_id"),
        "scope": scope.text,
        "filters": conditions.text,
    }
    statement = LARGE_SQL["rank_large"].fill(
        compared=fill_block(LARGE_SQL.blocks[compared], **slots),
        nearest=fill_block(LARGE_SQL.blocks[nearest], cast=cast, **slots),
        **slots,
    )
    return statement(
        **_shared_values(query),
        **{**scope.values, **conditions.values},
        size=size.memories,
        mean_length=size.mean_length,
    )


def scope_notation(query: SearchQuery) -> str:
    """Returns how the parameters of project and scope are written: see `_HIDDEN`."""
    has_one_index = query.filters is None and len(query.scope.parts()) == 1
    return _HIDDEN if has_one_index else _VISIBLE


def _conditions(query: SearchQuery) -> Condition:
    """Returns the conditions on items in addition to the scope; only requested ones are checked."""
    filters = filter_condition(query.filters)
    texts, values = [filters.text], dict(filters.values)
    if query.visible_on is not None:
        day = "(SELECT :visible_on::date)"
        texts.append(f"(m.expiration_date IS NULL OR m.expiration_date >= {day})")
        values["visible_on"] = query.visible_on
    if query.categories:
        texts.append("m.categories && :categories::text[]")
        values["categories"] = list(query.categories)
    if query.latest_at is not None:
        scope = scope_condition(query.scope)
        texts.append(fill_block(SQL.blocks["is_latest"], scope=scope.text))
        values |= {**FUNCTIONAL, **scope.values}
        values |= {"at": query.latest_at, "visible_on": query.visible_on}
    return Condition(" AND ".join(texts), values)


def _present(query: SearchQuery) -> str:
    return f"({_union('present', query)})"


def _past(query: SearchQuery, origin: str) -> str:
    return fill_block(_union("past", query), origin=origin)


def _union(state: str, query: SearchQuery) -> str:
    """Returns a query for the rows of every searched source, in the same columns."""
    sources = [source for source in Source if source in query.sources]
    return "\nUNION ALL\n".join(SQL.blocks[f"{state}_{source}"] for source in sources)


def _shared_values(query: SearchQuery) -> dict[str, object]:
    """Returns the parameters of both statements."""
    return {
        "project_id": query.project_id,
        "vector": to_halfvec(query.vector),
        "question": query.text,
        "meanings": list(query.meanings),
        "bm25_gain": BM25_K1 + 1,
        "bm25_floor": BM25_K1 * (1 - BM25_B),
        "bm25_slope": BM25_K1 * BM25_B,
        "context_share": CONTEXT_SHARE,
        "limit": candidate_count(query.limit),
        "centre_shrinkage": CENTRE_SHRINKAGE,
        "centre_sample": CENTRE_SAMPLE,
        "graph_ids": list(query.graph),
        "far_share": FAR_SHARE,
        "reach": REACH,
        "sitting": SITTING,
        "with_vectors": needs_vectors(query.limit),
        "pair_reach": PAIR_REACH,
        "pair_share": PAIR_SHARE,
    }


MOST_CHANGES: Final = 500
"""How many changed items a search updates. After more changes the index is read again."""


@dataclass(frozen=True, slots=True)
class IndexCheck:
    """The check of a scope's index for a search, which reads at most `most` new items."""

    query: SearchQuery
    index: ScopeIndex
    most: int = MOST_CHANGES

    @property
    def group(self) -> Hashable:
        """Checks of an equal group can share a statement."""
        parts = dict(self.query.scope.parts())
        scopes: Hashable = tuple(parts) if len(parts) == 1 else self.query.scope
        return self.query.project_id, self.query.sources, scopes


def check_statement(checks: Sequence[IndexCheck]) -> BoundStatement:
    """Returns the statement for checks of one group."""
    first = checks[0].query
    parts = dict(first.scope.parts())
    related = [
        (meaning, number)
        for number, check in enumerate(checks, 1)
        for meaning in check.query.meanings
    ]
    values = {
        "questions": [check.query.text for check in checks],
        "meanings": [meaning for meaning, _ in related],
        "meaning_of": [number for _, number in related],
        "after": [check.index.newest for check in checks],
        "most": checks[0].most,
    }
    if len(parts) == 1:
        [part] = parts
        values["parts"] = [dict(check.query.scope.parts())[part] for check in checks]
        statement = _index_statement("check_scopes", first, f"m.{part} = checked.part")
        return statement(project_id=first.project_id, **values)
    values["parts"] = [None]
    return _bound_to_index("check_scopes", first, **values)


def list_statement(query: SearchQuery) -> BoundStatement:
    """Returns the statement that lists the items of the scope."""
    return _bound_to_index("list_scope_items", query)


def read_statement(query: SearchQuery, ids: Sequence[UUID]) -> BoundStatement:
    """Returns the statement that reads these items of the scope."""
    return _bound_to_index("read_scope_items", query, memory_ids=ids)


def _bound_to_index(name: str, query: SearchQuery, **values: object) -> BoundStatement:
    scope = scope_condition(query.scope, value=scope_notation(query))
    statement = _index_statement(name, query, scope.text)
    return statement(project_id=query.project_id, **scope.values, **values)


def _index_statement(name: str, query: SearchQuery, scope: str) -> SqlStatement:
    """Returns the statement for scopes with this condition."""
    return INDEX_SQL[name].fill(
        items=_index_items(query.sources),
        project=scope_notation(query).format(":project_id"),
        scope=scope,
    )


@lru_cache(maxsize=8)
def _index_items(sources: frozenset[Source]) -> str:
    blocks = [INDEX_SQL.blocks[f"items_{source}"] for source in Source if source in sources]
    return "\nUNION ALL\n".join(blocks)
