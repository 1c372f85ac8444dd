"""The statements for the index of a scope in a server's memory, which are in scope_index.sql."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from uuid import UUID

from server.memories.passages import Source
from server.memories.queries import SearchQuery
from server.storage.postgres.filters import scope_condition
from server.storage.postgres.ranking_statements import scope_notation
from server.storage.postgres.scope_index import ScopeIndex
from server.storage.postgres.statements import BoundStatement, Statement, load_sql

SQL = load_sql("scope_index.sql")

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
        statement = _statement("check_scopes", first, f"m.{part} = checked.part")
        return statement(project_id=first.project_id, **values)
    values["parts"] = [None]
    return _bound("check_scopes", first, **values)


def list_statement(query: SearchQuery) -> BoundStatement:
    """Returns the statement that lists the items of the scope."""
    return _bound("list_scope_items", query)


def read_statement(query: SearchQuery, ids: Sequence[UUID]) -> BoundStatement:
    """Returns the statement that reads these items of the scope."""
    return _bound("read_scope_items", query, memory_ids=ids)


def _bound(name: str, query: SearchQuery, **values: object) -> BoundStatement:
    scope = scope_condition(query.scope, value=scope_notation(query))
    statement = _statement(name, query, scope.text)
    return statement(project_id=query.project_id, **scope.values, **values)


def _statement(name: str, query: SearchQuery, scope: str) -> Statement:
    """Returns the statement for scopes with this condition."""
    return SQL[name].fill(
        items=_items(query.sources),
        project=scope_notation(query).format(":project_id"),
        scope=scope,
    )


@lru_cache(maxsize=8)
def _items(sources: frozenset[Source]) -> str:
    blocks = [SQL.blocks[f"items_{source}"] for source in Source if source in sources]
    return "\nUNION ALL\n".join(blocks)
