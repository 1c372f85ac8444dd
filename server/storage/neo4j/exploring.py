"""Reads the entities of a graph space, their neighbourhoods, and relations page by page.

Only whole spaces are read, for scopes that name a user and nothing else. The graphs of other scopes
are computed from their memories: see `server.graph.explore.scoped_reader`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from neo4j import AsyncManagedTransaction, Record

from server.core.clock import microseconds
from server.core.values import Page
from server.graph.explore.traversal import FAN_OUT, MOST_RELATIONS
from server.graph.model import (
    Entity,
    EntityCursor,
    EntityRef,
    KnownEntity,
    Relation,
    RelationCursor,
    StatedRelation,
    entity_key,
    relation_name,
)
from server.graph.ports import (
    NEWEST_MEMORIES,
    EntityPage,
    EntityQuery,
    FoundEntity,
    GraphScope,
    RelationQuery,
    Surroundings,
)
from server.memories.scope import Scope
from server.storage.neo4j.rows import read_time
from server.storage.neo4j.terms import alias_term, given, index_key, terms_query
from server.storage.statements import load_cypher

END_OF_TIME: Final = microseconds(datetime.max.replace(tzinfo=UTC))

MOST_EDGES: Final = 10_000
"""The maximum number of edges of an entity that are read."""

MOST_MATCHES: Final = 1000
"""The maximum number of entities that a search by words finds."""

_MOST_ALIASED: Final = 50
"""The maximum number of entities with the same alias that are found in a space."""

STATEMENTS = load_cypher(__package__, "exploring.cypher")


def space_of(scope: Scope) -> str:
    """Returns the graph space that the scope includes as a whole.

    Raises:
        ValueError: the scope does not include a whole space.
    """
    if not scope.sees_whole_spaces():
        raise ValueError("Neo4j is read only for scopes that name a user and nothing else")
    return scope.graph_space()


def parameters(within: GraphScope, **more: Any) -> dict[str, Any]:
    """Returns the parameters of every statement; None means no condition."""
    return {
        "project_id": within.project_id,
        "space": space_of(within.scope),
        "holding_at": within.holding_at and microseconds(within.holding_at),
        "most_edges": MOST_EDGES,
        "newest": NEWEST_MEMORIES,
        **more,
    }


Run: TypeAlias = Callable[..., Awaitable[list[Record]]]
"""Returns the rows of the statement with this name and these additional parameters."""


async def find_entities(
    tx: AsyncManagedTransaction, within: GraphScope, name: str
) -> list[FoundEntity]:
    rows = await within_transaction(tx, within)(
        "find_entities",
        key=index_key(entity_key(name)),
        alias=alias_term(within.project_id, space_of(within.scope), name),
        most=_MOST_ALIASED,
    )
    return sorted(_found(rows), key=lambda found: str(found.memory_ids[0]), reverse=True)


async def list_entities(tx: AsyncManagedTransaction, query: EntityQuery) -> EntityPage:
    run = within_transaction(tx, query.within)
    return await (_matches(run, query) if query.words else _in_order(run, query))


async def _matches(run: Run, query: EntityQuery) -> EntityPage:
    skipped = query.after.skipped if query.after else 0
    space = space_of(query.within.scope)
    rows = await run(
        "entity_matches",
        words=terms_query(query.within.project_id, space, query.words),
        most=MOST_MATCHES,
        skipped=skipped,
        limit=query.limit,
    )
    more = len(rows) == query.limit and skipped + query.limit < MOST_MATCHES
    return Page(_found(rows), EntityCursor(skipped=skipped + query.limit) if more else None)


async def _in_order(run: Run, query: EntityQuery) -> EntityPage:
    after = query.after or EntityCursor()
    rows = await run("entity_page", after=index_key(after.key), limit=query.limit)
    more = len(rows) == query.limit
    next_page = EntityCursor(rows[-1]["space"], rows[-1]["key"]) if more else None
    return Page(_found(rows), next_page)


async def explore(
    tx: AsyncManagedTransaction, within: GraphScope, start: EntityRef, hops: int
) -> Surroundings:
    """See the port. One statement for each hop, and one for the entities."""
    run = within_transaction(tx, within)
    relations: dict[StatedRelation, None] = {}
    seen, frontier = {start.key}, [start.key]
    truncated = False
    for _ in range(hops):
        limit = MOST_RELATIONS - len(relations)
        if not frontier or limit <= 0:
            truncated = truncated or bool(frontier)
            break
        # The statement can return all known relations again, and one more row shows that it has
        # more than `limit` new ones.
        rows = await run("expand", keys=frontier, fan_out=FAN_OUT, limit=MOST_RELATIONS + 1)
        new = [r for r in dict.fromkeys(map(stated_relation, rows)) if r not in relations]
        truncated = truncated or len(new) > limit or any(row["cut"] for row in rows)
        relations.update(dict.fromkeys(new[:limit]))
        ends = [end for r in new[:limit] for end in (r.source_key, r.target_key)]
        frontier = [end for end in dict.fromkeys(ends) if end not in seen]
        seen.update(frontier)
    known = await run("describe", keys=sorted(seen))
    return Surroundings({row["key"]: _known(row) for row in known}, list(relations), truncated)


def within_transaction(tx: AsyncManagedTransaction, within: GraphScope) -> Run:
    """Returns a function that runs statements in the transaction."""

    async def run(name: str, /, **more: Any) -> list[Record]:
        result = await tx.run(STATEMENTS[name], given(parameters(within, **more)))
        return [record async for record in result]

    return run


def stated_relation(record: Record) -> StatedRelation:
    """Returns the relation in a row."""
    end = record["superseded_at"]
    return StatedRelation(
        relation=Relation(
            source=Entity(record["source_name"], record["source_type"]),
            relation=record["relation"],
            target=Entity(record["target_name"], record["target_type"]),
        ),
        memory_id=UUID(record["memory_id"]),
        event_time=read_time(record["event_time"]),
        superseded_at=None if end is None else read_time(end),
        source_key=record["source_key"],
        target_key=record["target_key"],
    )


def _found(rows: Iterable[Record]) -> list[FoundEntity]:
    """Returns the entities that a memory mentions."""
    return [
        FoundEntity(_known(row), [UUID(memory_id) for memory_id in row["memory_ids"]])
        for row in rows
        if row["memory_ids"]
    ]


def _known(row: Record) -> KnownEntity:
    return KnownEntity(
        EntityRef(row["space"], row["key"]),
        Entity(row["name"], row["type"], tuple(row["aliases"] or ())),
        row["memory_count"],
    )


def relations_parameters(query: RelationQuery) -> dict[str, Any]:
    """Returns the parameters of `relation_page`; None means no condition.

    Raises:
        ValueError: the scope does not include a whole graph space.
    """
    return parameters(
        query.within,
        user_id=query.within.scope.user_id,
        entity=None if query.entity is None else index_key(entity_key(query.entity)),
        relation=None if query.relation is None else relation_name(query.relation),
        limit=query.limit,
        **_after(query.after),
    )


async def list_relations(tx: AsyncManagedTransaction, query: RelationQuery) -> list[StatedRelation]:
    """Returns one page of relations.

    Raises:
        ValueError: the scope does not include a whole graph space.
    """
    result = await tx.run(STATEMENTS["relation_page"], given(relations_parameters(query)))
    return [stated_relation(record) async for record in result]


def _after(cursor: RelationCursor | None) -> dict[str, Any]:
    if cursor is None:
        nothing = ("after_memory", "after_source", "after_relation", "after_target")
        return {"event_time": END_OF_TIME, **dict.fromkeys(nothing)}
    return {
        "event_time": microseconds(cursor.event_time),
        "after_memory": str(cursor.memory_id),
        "after_source": index_key(cursor.source_key),
        "after_relation": cursor.relation,
        "after_target": index_key(cursor.target_key),
    }
