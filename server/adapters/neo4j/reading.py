"""Reading relations page by page."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from neo4j import AsyncManagedTransaction

from server.adapters.neo4j.exploring import END_OF_TIME, stated_relation
from server.adapters.neo4j.keys import index_key
from server.adapters.neo4j.parameters import given
from server.adapters.statements import load_statements
from server.domain.graph import StatedRelation, entity_key, relation_name
from server.domain.pages import RelationCursor
from server.domain.scope import SCOPE_FIELDS, Scope
from server.ports.graph_reader import RelationQuery

_STATEMENTS = load_statements(__package__, "reading.cypher", comment="//")

# A run is part of a user's or an agent's doing: the first named of these is likely the smallest.
_NARROWEST_FIRST = ("run_id", "user_id", "agent_id", "app_id")


def relations_statement(scope: Scope) -> str:
    """The statement that reads a page of relations of such a scope.

    Raises:
        ValueError: the scope names nothing. A whole project is never read by omission.
    """
    named = dict(scope.parts())
    for field in _NARROWEST_FIRST:
        if field in named:
            return _STATEMENTS[f"seek_{field}"] + "\n" + _STATEMENTS["page"]
    raise ValueError("relations are read within a scope, and this one names nothing")


def relations_parameters(query: RelationQuery) -> dict[str, Any]:
    """The statement's parameters; what is None is not compared."""
    return {
        "project_id": query.project_id,
        **dict.fromkeys(SCOPE_FIELDS),
        **dict(query.scope.parts()),
        "entity": None if query.entity is None else index_key(entity_key(query.entity)),
        "relation": None if query.relation is None else relation_name(query.relation),
        "holding_at": query.holding_at and query.holding_at.astimezone(UTC),
        "limit": query.limit,
        **_after(query.after),
    }


async def list_relations(tx: AsyncManagedTransaction, query: RelationQuery) -> list[StatedRelation]:
    """One page of relations.

    Raises:
        ValueError: the scope names nothing.
    """
    result = await tx.run(relations_statement(query.scope), given(relations_parameters(query)))
    return [stated_relation(record) async for record in result]


def _after(cursor: RelationCursor | None) -> dict[str, Any]:
    if cursor is None:
        nothing = ("after_memory", "after_source", "after_relation", "after_target")
        return {"event_time": END_OF_TIME, **dict.fromkeys(nothing)}
    return {
        "event_time": cursor.event_time.astimezone(UTC),
        "after_memory": str(cursor.memory_id),
        "after_source": index_key(cursor.source_key),
        "after_relation": cursor.relation,
        "after_target": index_key(cursor.target_key),
    }
