"""Making the graph equal to a batch of subgraphs, within one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from neo4j import AsyncManagedTransaction, Record

from server import failpoints
from server.adapters.neo4j import rows
from server.adapters.neo4j.edges import (
    Difference,
    Statement,
    difference,
    wanted_mentions,
    wanted_statements,
)
from server.adapters.neo4j.keys import space_slot
from server.adapters.statements import load_statements
from server.domain.graph import MemorySubgraph
from server.domain.mentions import EntityKey, Mention, naming_mentions
from server.domain.supersession import superseded_at

_STATEMENTS = load_statements(__package__, "projection.cypher", comment="//")

_ENTITY = ("project_id", "space", "key")
_EDGE = ("project_id", "memory_id", "element_id")


def latest(subgraphs: Iterable[MemorySubgraph]) -> list[MemorySubgraph]:
    """The last state of each memory, in the order in which memories are locked.

    Of a memory that both exists and is gone, gone is taken for the last: showing what was deleted
    is the worse mistake.
    """
    ordered = sorted(
        subgraphs, key=lambda s: (s.project_id, str(s.memory_id), not s.exists, s.version)
    )
    return list({(s.project_id, s.memory_id): s for s in ordered}.values())


async def project(tx: AsyncManagedTransaction, batch: Sequence[MemorySubgraph]) -> None:
    """Applies a batch, as `latest` gives it; may be run again in another transaction."""
    known = await _lock_memories(tx, batch)
    current = [s for s in batch if not _is_stale(s, known.get(rows.memory_identity(s)))]
    revisited = [s for s in current if known.get(rows.memory_identity(s)) is not None]
    mentions = difference(
        (mention for s in current for mention in wanted_mentions(s)),
        await stored_mentions(tx, revisited),
    )
    statements = difference(
        (statement for s in current for statement in wanted_statements(s)),
        await stored_statements(tx, revisited),
    )
    touched = {s.source for s in statements.changed} | {m.entity for m in mentions.changed}
    await _lock_spaces(tx, touched)
    await _merge_entities(tx, mentions.added)
    await _replace(tx, current, mentions, statements)
    await _supersede(tx, statements.changed)
    await _tidy_entities(tx, mentions)
    failpoints.reach("projection.before_neo4j_commit")


def _is_stale(subgraph: MemorySubgraph, known_version: int | None) -> bool:
    return subgraph.exists and known_version is not None and subgraph.version < known_version


async def _lock_memories(
    tx: AsyncManagedTransaction, batch: Sequence[MemorySubgraph]
) -> dict[tuple[str, str], int | None]:
    """Locks the memories' nodes and tells the version that each had; None for a new one.

    Those that are gone are locked, made if need be, like the others: so a projection of an earlier
    state that is still under way comes wholly before this one, or fails.
    """
    records = await run(tx, "lock_memories", memories=[rows.memory(s) for s in batch])
    return {(r["project_id"], r["memory_id"]): r["version"] for r in records}


async def stored_mentions(
    tx: AsyncManagedTransaction, memories: Sequence[MemorySubgraph]
) -> list[tuple[str, Mention]]:
    """What the graph holds of memories' mentions, with the ids of the elements."""
    records = await run(tx, "stored_mentions", memories=[rows.memory(s) for s in memories])
    return [(r["element_id"], rows.read_mention(r)) for r in records]


async def stored_statements(
    tx: AsyncManagedTransaction, memories: Sequence[MemorySubgraph]
) -> list[tuple[str, Statement]]:
    """What the graph holds of memories' relations, with the ids of the elements."""
    records = await run(tx, "stored_relations", memories=[rows.memory(s) for s in memories])
    return [(r["element_id"], rows.read_statement(r)) for r in records]


async def _lock_spaces(tx: AsyncManagedTransaction, entities: Iterable[EntityKey]) -> None:
    slots = {space_slot(entity.project_id, entity.space) for entity in entities}
    await run(tx, "lock_spaces", slots=sorted(slots))


async def _merge_entities(tx: AsyncManagedTransaction, mentions: Iterable[Mention]) -> None:
    naming = naming_mentions(mentions)
    entities = [rows.entity(naming[key]) for key in sorted(naming)]
    await run(tx, "merge_entities", entities=entities)


async def _replace(
    tx: AsyncManagedTransaction,
    current: Sequence[MemorySubgraph],
    mentions: Difference[Mention],
    statements: Difference[Statement],
) -> None:
    await run(tx, "remove_edges", element_ids=[*mentions.removed_ids, *statements.removed_ids])
    await run(tx, "remove_memories", memories=[rows.memory(s) for s in current if not s.exists])
    await run(tx, "keep_memories", memories=[rows.memory(s) for s in current if s.exists])
    await run(tx, "add_mentions", mentions=[rows.mention(m) for m in mentions.added])
    await run(tx, "add_relations", relations=[rows.statement(s) for s in statements.added])


async def _supersede(tx: AsyncManagedTransaction, changed: Iterable[Statement]) -> None:
    """Says anew until when functional relations hold whose subject and kind have changed."""
    slots = {statement.slot for statement in changed} - {None}
    records = await run(tx, "slot_relations", slots=sorted(filter(None, slots)))
    await run(tx, "supersede", ends=wrong_ends(records))


def wrong_ends(records: Iterable[Record]) -> list[dict[str, Any]]:
    """What has to be written so that rows of `slot_relations` end when they should."""
    by_slot: dict[str, list[Record]] = {}
    for record in records:
        by_slot.setdefault(record["slot"], []).append(record)
    ends = []
    for slot in by_slot.values():
        right = superseded_at(map(rows.holding, slot))
        for record in slot:
            end = right[rows.holding(record)]
            if end != _end_of(record):
                ends.append({name: record[name] for name in _EDGE} | {"superseded_at": end})
    return ends


def _end_of(record: Record) -> datetime | None:
    stored = record["superseded_at"]
    return None if stored is None else rows.read_time(stored).astimezone(UTC)


async def _tidy_entities(tx: AsyncManagedTransaction, mentions: Difference[Mention]) -> None:
    removed = [rows.mention(mention) for mention in mentions.removed]
    await run(tx, "rename_entities", removed=removed)
    await run(tx, "remove_orphans", removed=removed)
    await reindex(tx, [rows.entity_key(m.entity) for m in mentions.changed])


def wrong_names(records: Iterable[Record]) -> list[rows.Row]:
    """What has to be written so that the entities are found by their names."""
    right = [(record, rows.found_by(record)) for record in records]
    return [
        {name: record[name] for name in _ENTITY} | found_by
        for record, found_by in right
        if any(record[name] != value for name, value in found_by.items())
    ]


async def reindex(tx: AsyncManagedTransaction, entities: Iterable[Record | rows.Row]) -> None:
    """Lets these entities be found by the names that they have now."""
    keys = sorted({(e["project_id"], e["space"], e["key"]) for e in entities})
    touched = [dict(zip(_ENTITY, key, strict=True)) for key in keys]
    await run(tx, "index_names", names=wrong_names(await run(tx, "names", touched=touched)))


async def run(tx: AsyncManagedTransaction, name: str, **items: Sequence[Any]) -> list[Record]:
    """Runs a statement over one list of items; an empty list needs no statement."""
    if not any(items.values()):
        return []
    result = await tx.run(_STATEMENTS[name], items)
    return [record async for record in result]
