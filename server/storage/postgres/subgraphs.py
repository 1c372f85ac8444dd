"""Reads the subgraphs of memories, from their current state and the aliases of their space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID

from server.graph.model import Entity, MemorySubgraph, Relation
from server.graph.names import Joins, pair_of, with_splits
from server.storage.postgres.entities import (
    SQL,
    Alias,
    MemoryAliases,
    Space,
    aliases_of,
    enqueue_affected,
    joins_of,
    store_aliases,
)
from server.storage.postgres.rows import to_entities, to_relations, to_scope

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection, Database
    from server.storage.postgres.rows import Row

MemoryIds = Sequence[tuple[str, UUID, str]]
"""Project, memory and the correlation id of its latest change."""


async def read_subgraphs(
    database: Database, memories: MemoryIds, day: date
) -> list[MemorySubgraph]:
    """Returns the subgraphs of these memories on that day.

    It costs one statement, and another if the space of a memory has aliases. If the aliases of a
    memory have changed, they are stored first, and the affected memories are enqueued.
    """
    async with database.connection() as connection:
        rows = await _rows(connection, memories, day)
        changed = [aliases for row in rows if (aliases := _changed_aliases(row))]
        spaces = {_space(row) for row in rows if row["found"] and row["has_aliases"]}
        joins: dict[Space, Joins] = {}
        if changed:
            joins = await store_aliases(connection, changed)
            await enqueue_affected(connection, await _changes(connection, spaces | joins.keys()))
        joins |= await joins_of(connection, spaces - joins.keys())
    return [_to_subgraph(row, joins) for row in rows]


async def peek_subgraphs(
    database: Database, memories: MemoryIds, day: date
) -> tuple[list[MemorySubgraph], list[UUID]]:
    """Returns the subgraphs with the stored aliases, and the memories with aliases not stored."""
    async with database.connection() as connection:
        rows = await _rows(connection, memories, day)
        spaces = {_space(row) for row in rows if row["found"] and row["has_aliases"]}
        joins = await joins_of(connection, spaces)
    return (
        [_to_subgraph(row, joins) for row in rows],
        [row["memory_id"] for row in rows if _changed_aliases(row)],
    )


async def _rows(connection: Connection, memories: MemoryIds, day: date) -> list[Row]:
    projects, ids, correlation_ids = zip(*memories, strict=True) if memories else ((), (), ())
    return list(
        await connection.fetch(
            *SQL["subgraphs"](
                project_ids=list(projects),
                memory_ids=list(ids),
                correlation_ids=list(correlation_ids),
                day=day,
            )
        )
    )


async def _changes(connection: Connection, spaces: set[Space]) -> list[Row]:
    wanted = sorted(spaces)
    return list(
        await connection.fetch(
            *SQL["changes"](
                project_ids=[project for project, _ in wanted],
                spaces=[space for _, space in wanted],
            )
        )
    )


def _space(row: Row) -> Space:
    return row["project_id"], to_scope(row).graph_space()


def _changed_aliases(row: Row) -> MemoryAliases | None:
    """Returns the memory's aliases if they differ from the stored ones."""
    stored: list[Alias] = [(each["name"], each["alias"]) for each in row["stored_aliases"]]
    current = aliases_of(_stated_by(row)[0]) if row["found"] else []
    if stored == current:
        return None
    space = _space(row)[1] if row["found"] else row["stored_space"]
    return MemoryAliases(row["project_id"], row["memory_id"], space, current)


def _stated_by(row: Row) -> tuple[tuple[Entity, ...], tuple[Relation, ...]]:
    """Returns the memory's entities and relations, with split names separated."""
    splits = {pair_of(*names) for names in row["splits"] or ()}
    return with_splits(
        to_entities(row["entities"]),
        to_relations(row["relations"]),
        row["split_text"] or "",
        splits,
    )


def _to_subgraph(row: Row, joins: Mapping[Space, Joins]) -> MemorySubgraph:
    entities, relations = _stated_by(row) if row["found"] else ((), ())
    if not entities and not relations:
        return MemorySubgraph(
            row["project_id"],
            row["memory_id"],
            exists=False,
            correlation_id=row["correlation_id"],
        )
    known = joins.get(_space(row))
    joined, aliases = _concerning(known, entities, relations) if known else ({}, {})
    return MemorySubgraph(
        project_id=row["project_id"],
        memory_id=row["memory_id"],
        exists=True,
        version=row["version"],
        scope=to_scope(row),
        entities=entities,
        relations=relations,
        event_time=row["event_time"],
        correlation_id=row["correlation_id"],
        expires_on=row["expiration_date"],
        joined=joined,
        aliases=aliases,
    )


def _concerning(
    joins: Joins, entities: Sequence[Entity], relations: Sequence[Relation]
) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Returns the joins of a space for the names that a memory mentions."""
    ends = [end for relation in relations for end in (relation.source, relation.target)]
    keys = {entity.key for entity in (*entities, *ends)}
    joined = {key: joins.resolved[key] for key in keys if key in joins.resolved}
    own = {joins.key(key) for key in keys}
    return joined, {key: joins.aliases[key] for key in own if key in joins.aliases}
