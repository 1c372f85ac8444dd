"""Reads entities, their neighbourhoods, and relations page by page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from uuid import UUID

from neo4j import AsyncManagedTransaction, Record

from server.core.pages import EntityCursor, RelationCursor
from server.graph.explore.walks import FAN_OUT, MOST_RELATIONS
from server.graph.model import (
    Entity,
    EntityRef,
    KnownEntity,
    Relation,
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
from server.memories.scope import SCOPE_FIELDS, Scope
from server.storage.neo4j.rows import microseconds, read_time
from server.storage.neo4j.terms import alias_term, given, index_key, terms_query
from server.storage.statements import load_cypher

END_OF_TIME: Final = microseconds(datetime.max.replace(tzinfo=UTC))

MOST_EDGES: Final = 10_000
"""How many edges of one entity are looked at."""

MOST_MATCHES: Final = 1000
"""How many entities a search by words finds."""

MOST_SPACES: Final = 50
"""How many graph spaces a scope that names no user is looked for in."""

_SPACES_LOOKED_AT: Final = 500
_EXTRA_LOOKED_AT: Final = 200

_RAW = load_cypher(__package__, "exploring.cypher")


def _about(match: re.Match[str]) -> str:
    return re.sub(r"\bx\.", f"{match['variable']}.", _RAW[match["block"]])


def statement(name: str) -> str:
    """A statement with its fixed blocks in place. Nothing here comes from a client."""
    text = _RAW[name]
    for block in ("mentions", "stated"):
        text = text.replace(f"{{{block}}}", _RAW[block])
    return re.sub(r"\{(?P<block>in_scope|holding) (?P<variable>\w)\}", _about, text)


def parameters(within: GraphScope, **more: Any) -> dict[str, Any]:
    """Parameters of every statement; None means no condition."""
    return {
        "project_id": within.project_id,
        **dict.fromkeys(SCOPE_FIELDS),
        **dict(within.scope.parts()),
        "holding_at": within.holding_at and microseconds(within.holding_at),
        "most_edges": MOST_EDGES,
        "newest": NEWEST_MEMORIES,
        **more,
    }


class Run(Protocol):
    """Runs one of the statements and reads all of its rows."""

    async def __call__(self, name: str, /, **more: Any) -> list[Record]:
        """The rows of the statement of this name, given these parameters too."""
        ...


async def spaces_of(run: Run, within: GraphScope) -> list[str]:
    """The graph spaces of the scope's memories, the scope's own first.

    Raises:
        ValueError: the scope names nothing.
    """
    own = within.scope.graph_space()
    if within.scope.user_id is not None:
        return [own]
    field, _ = within.scope.parts()[-1]
    rows = await run(
        f"spaces_{field}",
        looked_at=_SPACES_LOOKED_AT,
        most_spaces=MOST_SPACES,
        end_of_time=END_OF_TIME,
    )
    others = sorted({row["space"] for row in rows} - {own})
    return [own, *others][:MOST_SPACES]


async def find_entities(
    tx: AsyncManagedTransaction, within: GraphScope, name: str
) -> list[FoundEntity]:
    run = within_transaction(tx, within)
    spaces = await spaces_of(run, within)
    aliases = [alias_term(within.project_id, space, name) for space in spaces]
    rows = await run(
        "find_entities",
        spaces=spaces,
        key=index_key(entity_key(name)),
        aliases=" OR ".join(aliases),
        most=MOST_SPACES,
    )
    newest_first = sorted(_found(rows), key=lambda found: str(found.memory_ids[0]), reverse=True)
    return sorted(newest_first, key=lambda found: found.known.ref.space != spaces[0])


async def list_entities(tx: AsyncManagedTransaction, query: EntityQuery) -> EntityPage:
    run = within_transaction(tx, query.within)
    spaces = await spaces_of(run, query.within)
    if query.words:
        return await _matches(run, query, spaces)
    return await _in_order(run, query, sorted(spaces))


async def _matches(run: Run, query: EntityQuery, spaces: Sequence[str]) -> EntityPage:
    skipped = query.after.skipped if query.after else 0
    rows = await run(
        "entity_matches",
        words=terms_query(query.within.project_id, spaces, query.words),
        spaces=spaces,
        most=MOST_MATCHES,
        skipped=skipped,
        looked_at=query.limit,
    )
    more = len(rows) == query.limit and skipped + query.limit < MOST_MATCHES
    return EntityPage(_found(rows), EntityCursor(skipped=skipped + query.limit) if more else None)


async def _in_order(run: Run, query: EntityQuery, spaces: Sequence[str]) -> EntityPage:
    after = query.after or EntityCursor()
    whole = [query.within.scope.graph_space()] == list(spaces) and len(
        query.within.scope.parts()
    ) == 1
    looked_at = query.limit if whole else query.limit + _EXTRA_LOOKED_AT
    found: list[FoundEntity] = []
    for space in (space for space in spaces if space >= after.space):
        rows = await run(
            "entity_page",
            space=space,
            after=index_key(after.key) if space == after.space else "",
            looked_at=looked_at,
        )
        here = _found(rows)
        rest = query.limit - len(found)
        found += here[:rest]
        if len(here) >= rest and found:
            return EntityPage(found, EntityCursor(space, here[rest - 1].known.ref.key))
        if len(rows) == looked_at:
            return EntityPage(found, EntityCursor(space, rows[-1]["key"]))
    return EntityPage(found, None)


async def explore(
    tx: AsyncManagedTransaction, within: GraphScope, start: EntityRef, hops: int
) -> Surroundings:
    """See the port. One statement for each hop, and one for the entities."""
    run = within_transaction(tx, within)
    relations: dict[StatedRelation, None] = {}
    seen, around = {start.key}, [start.key]
    truncated = False
    for _ in range(hops):
        limit = MOST_RELATIONS - len(relations)
        if not around or limit <= 0:
            truncated = truncated or bool(around)
            break
        # Known relations are returned again, so the limit is raised by their number.
        rows = await run(
            "expand",
            space=start.space,
            keys=around,
            fan_out=FAN_OUT,
            limit=MOST_RELATIONS + 1,
        )
        new = [r for r in dict.fromkeys(map(stated_relation, rows)) if r not in relations]
        truncated = truncated or len(new) > limit or any(row["cut"] for row in rows)
        relations.update(dict.fromkeys(new[:limit]))
        ends = [end for r in new[:limit] for end in (r.source_key, r.target_key)]
        around = [end for end in dict.fromkeys(ends) if end not in seen]
        seen.update(around)
    known = await run("describe", space=start.space, keys=sorted(seen))
    return Surroundings({row["key"]: _known(row) for row in known}, list(relations), truncated)


def within_transaction(tx: AsyncManagedTransaction, within: GraphScope) -> Run:
    """Runs statements in a transaction."""

    async def run(name: str, /, **more: Any) -> list[Record]:
        result = await tx.run(statement(name), given(parameters(within, **more)))
        return [record async for record in result]

    return run


def stated_relation(record: Record) -> StatedRelation:
    """The relation of a row."""
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
    """Those of the entities that a memory of the scope mentions."""
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


_STATEMENTS = load_cypher(__package__, "reading.cypher")

# A run belongs to a user or an agent, so the first one that is named is likely the smallest.
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
        "holding_at": query.holding_at and microseconds(query.holding_at),
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
        "event_time": microseconds(cursor.event_time),
        "after_memory": str(cursor.memory_id),
        "after_source": index_key(cursor.source_key),
        "after_relation": cursor.relation,
        "after_target": index_key(cursor.target_key),
    }
