"""Makes the graph equal to a batch of subgraphs, in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from neo4j import AsyncManagedTransaction

from server import failpoints
from server.core.clock import UNIX_EPOCH
from server.graph.mentions import EntityKey, Mention, naming_mentions
from server.graph.model import Entity, MemorySubgraph, Relation
from server.graph.project.supersession import Holding, superseded_at
from server.memories.scope import Scope
from server.storage.neo4j import rows
from server.storage.neo4j.rows import (
    Difference,
    RelationEdge,
    difference,
    wanted_mentions,
    wanted_relations,
)
from server.storage.neo4j.terms import KEEP_PLAN, given, space_lock_slot
from server.storage.statements import load_cypher

Ends = dict[RelationEdge, datetime | None]


def superseding_ends(
    stored: Sequence[rows.Found], added: Iterable[RelationEdge]
) -> tuple[list[rows.Row], Ends]:
    """Returns when stored relations (rows of `slot_relations`) and added relations end.

    The first list has the changes of the stored relations, the second the ends of the added ones.
    """
    holdings: dict[str, list[Holding]] = defaultdict(list)
    added_holdings = {edge: _holding_of(edge) for edge in added if edge.slot}
    for edge, holding in added_holdings.items():
        holdings[edge.slot or ""].append(holding)
    stored_holdings = [(row, _holding_in(row)) for row in stored]
    for row, holding in stored_holdings:
        holdings[row["slot"]].append(holding)
    ends = {slot: superseded_at(held_in_slot) for slot, held_in_slot in holdings.items()}
    changed = [
        rows.edge_end(row, ends[row["slot"]][holding])
        for row, holding in stored_holdings
        if ends[row["slot"]][holding] != _end(row)
    ]
    return changed, {
        edge: ends[edge.slot or ""][holding] for edge, holding in added_holdings.items()
    }


def wrong_ends(stored: Sequence[rows.Found]) -> list[rows.Row]:
    """Returns the ends to correct among all relations of some slots."""
    wrong, _ = superseding_ends(stored, ())
    return wrong


def _holding_of(edge: RelationEdge) -> Holding:
    return Holding(edge.memory_id, edge.target.key, edge.event_time)


def _holding_in(row: rows.Found) -> Holding:
    return Holding(row["memory_id"], row["target"], rows.read_time(row["event_time"]))


def _end(row: rows.Found) -> datetime | None:
    end = row["superseded_at"]
    return None if end is None else rows.read_time(end)


# While a graph grows, Neo4j would plan every statement again every ten seconds, which costs more
# than the projections. But the best plan of each statement does not depend on the data.
_STATEMENTS = {
    name: KEEP_PLAN + text for name, text in load_cypher(__package__, "projection.cypher").items()
}

_ENTITY = ("project_id", "space", "key")

_REHEARSED = 50
_COMMITTED = 20


def latest(subgraphs: Iterable[MemorySubgraph]) -> list[MemorySubgraph]:
    """Returns the last state of each memory, in the order in which memories are locked.

    If any state says that the memory was deleted, it counts as deleted, because showing a deleted
    memory is the worse mistake.
    """
    ordered = sorted(
        subgraphs, key=lambda s: (s.project_id, str(s.memory_id), not s.exists, s.version)
    )
    return list({(s.project_id, s.memory_id): s for s in ordered}.values())


async def project(tx: AsyncManagedTransaction, batch: Sequence[MemorySubgraph]) -> None:
    """Applies a batch from `latest`. It may run again in another transaction."""
    await _apply(tx, batch)
    failpoints.reach("projection.before_neo4j_commit")


OF_NO_PROJECT: Final = ""
"""The project of invented memories, which no real project can have."""


class Rehearsed(Exception):
    """Rolls back the transaction of a rehearsal."""


async def rehearse(tx: AsyncManagedTransaction) -> None:
    """Adds invented memories and raises Rehearsed.

    Neo4j plans a statement and loads its own code for it at the first use. After its start this
    takes seconds, which the first memories would have to wait for. Changes and deletions would
    need twice as long, and are rarely the first.
    """
    await _apply(tx, latest(_invented(number) for number in range(_REHEARSED)))
    raise Rehearsed


async def add_invented(tx: AsyncManagedTransaction) -> None:
    """Adds the memories of a rehearsal that commits."""
    await _apply(tx, latest(_invented(number) for number in range(_COMMITTED)))


async def remove_invented(tx: AsyncManagedTransaction) -> None:
    """Removes these memories and their entities.

    To delete them like others would need more statements, which take Neo4j seconds to plan.
    """
    invented = [rows.memory(_invented(number)) for number in range(_COMMITTED)]
    await run(tx, "remove_invented", memories=invented)


def _invented(number: int) -> MemorySubgraph:
    """Returns a memory of no project."""
    person, employer = Entity("Ada"), Entity("Acme", "company")
    return MemorySubgraph(
        project_id=OF_NO_PROJECT,
        memory_id=UUID(int=number),
        exists=True,
        version=1,
        scope=Scope(user_id=str(number)),
        relations=(Relation(person, "works_at", employer), Relation(employer, "hired", person)),
        event_time=UNIX_EPOCH,
    )


async def _apply(tx: AsyncManagedTransaction, batch: Sequence[MemorySubgraph]) -> None:
    known = await _lock_memories(tx, batch)
    current = [s for s in batch if not _is_stale(s, known.get(rows.memory_identity(s)))]
    revisited = [s for s in current if known.get(rows.memory_identity(s)) is not None]
    wanted = [mention for s in current for mention in wanted_mentions(s)]
    mentions = difference(wanted, await stored_mentions(tx, revisited))
    relations = difference(
        (relation for s in current for relation in wanted_relations(s)),
        await stored_relations(tx, revisited),
    )
    touched = {r.source for r in relations.changed} | {m.entity for m in mentions.changed}
    await _lock_spaces(tx, touched)
    ends = await _supersede(tx, relations)
    await _remove(tx, current, mentions, relations)
    await run(tx, "add_edges", **additions(wanted, mentions.added, relations.added, ends))
    await _tidy_entities(tx, mentions)


def _is_stale(subgraph: MemorySubgraph, known_version: int | None) -> bool:
    return subgraph.exists and known_version is not None and subgraph.version < known_version


async def _lock_memories(
    tx: AsyncManagedTransaction, batch: Sequence[MemorySubgraph]
) -> dict[tuple[str, str], int | None]:
    """Locks the memories' nodes, updates them and returns the version that each had.

    The version is None for a new memory. An older state does not change the version.

    Nodes of deleted memories are locked too, and created if necessary: so a concurrent projection
    of an earlier state is completed before this projection, or fails.
    """
    records = await run(tx, "lock_memories", memories=[rows.memory(s) for s in batch])
    return {(r["project_id"], r["memory_id"]): r["version"] for r in records}


async def stored_mentions(
    tx: AsyncManagedTransaction, memories: Sequence[MemorySubgraph]
) -> list[tuple[str, Mention]]:
    """Returns the memories' stored mentions, with their element ids."""
    records = await run(tx, "stored_mentions", memories=[rows.memory(s) for s in memories])
    return [(r["element_id"], rows.read_mention(r)) for r in records]


async def stored_relations(
    tx: AsyncManagedTransaction, memories: Sequence[MemorySubgraph]
) -> list[tuple[str, RelationEdge]]:
    """Returns the memories' stored relations, with their element ids."""
    records = await run(tx, "stored_relations", memories=[rows.memory(s) for s in memories])
    return [(r["element_id"], rows.read_relation(r)) for r in records]


async def _lock_spaces(tx: AsyncManagedTransaction, entities: Iterable[EntityKey]) -> None:
    slots = {space_lock_slot(entity.project_id, entity.space) for entity in entities}
    await run(tx, "lock_spaces", slots=sorted(slots))


async def _remove(
    tx: AsyncManagedTransaction,
    current: Sequence[MemorySubgraph],
    mentions: Difference[Mention],
    relations: Difference[RelationEdge],
) -> None:
    await run(tx, "remove_mentions", edges=_edges(mentions))
    await run(tx, "remove_relations", edges=_edges(relations))
    await run(tx, "remove_memories", memories=[rows.memory(s) for s in current if not s.exists])


def additions(
    wanted: Iterable[Mention],
    mentions: Iterable[Mention],
    relations: Iterable[RelationEdge],
    ends: Ends,
) -> dict[str, list[rows.Row]]:
    """Returns the edges to add by memory, and the entities at their ends, each once.

    The `wanted` mention with the lowest rank names an entity.
    """
    # An entity that has no place yet gets the next one.
    places: dict[EntityKey, int] = defaultdict(lambda: len(places))
    memories: dict[tuple[str, str], rows.Row] = {}

    def add_edge(edge: Mention | RelationEdge, kind: str, row: rows.Row) -> None:
        there = {"project_id": edge.project_id, "memory_id": edge.memory_id}
        empty = {**there, "mentions": [], "relations": []}
        memories.setdefault((edge.project_id, edge.memory_id), empty)[kind].append(row)

    for mention in mentions:
        entity = places[mention.entity]
        add_edge(mention, "mentions", {"entity": entity, **rows.naming(mention)})
    for relation in relations:
        add_edge(
            relation,
            "relations",
            {
                "source": places[relation.source],
                "target": places[relation.target],
                "properties": rows.relation(relation, ends.get(relation)),
            },
        )
    named = naming_mentions(wanted) if places else {}
    entities = [{"place": n, **rows.named_entity(named[key])} for key, n in places.items()]
    return {"entities": entities, "memories": list(memories.values())}


def _edges(gone: Difference[Mention] | Difference[RelationEdge]) -> list[rows.Row]:
    """Returns the edges to remove, by memory and element id."""
    removed: Sequence[Mention | RelationEdge] = gone.removed
    return [
        rows.edge(edge.project_id, edge.memory_id, element_id)
        for edge, element_id in zip(removed, gone.removed_ids, strict=True)
    ]


async def _supersede(tx: AsyncManagedTransaction, relations: Difference[RelationEdge]) -> Ends:
    """Ends stored functional relations that are superseded; returns when the added ones end."""
    slots = {relation.slot for relation in relations.changed} - {None}
    found = await run(tx, "slot_relations", slots=sorted(filter(None, slots)))
    staying = [row for row in found if row["element_id"] not in set(relations.removed_ids)]
    wrong, ends = superseding_ends(staying, relations.added)
    await run(tx, "supersede", ends=wrong)
    return ends


async def _tidy_entities(tx: AsyncManagedTransaction, mentions: Difference[Mention]) -> None:
    removed = [rows.mention(mention) for mention in mentions.removed]
    await run(tx, "rename_entities", removed=removed)
    await run(tx, "remove_orphans", removed=removed)
    await reindex(tx, removed)


def wrong_names(records: Iterable[rows.Found]) -> list[rows.Row]:
    """Returns the properties to correct so that entities are found by their names."""
    right = [(record, rows.found_by(record)) for record in records]
    return [
        {name: record[name] for name in _ENTITY} | found_by
        for record, found_by in right
        if any(record[name] != value for name, value in found_by.items())
    ]


async def reindex(tx: AsyncManagedTransaction, entities: Iterable[rows.Found]) -> None:
    """Updates the names by which these entities are found."""
    keys = sorted({(e["project_id"], e["space"], e["key"]) for e in entities})
    touched = [dict(zip(_ENTITY, key, strict=True)) for key in keys]
    await run(tx, "index_names", names=wrong_names(await run(tx, "names", touched=touched)))


async def run(tx: AsyncManagedTransaction, name: str, **items: Sequence[Any]) -> list[rows.Found]:
    """Runs a statement over lists of items, unless all of them are empty."""
    if not any(items.values()):
        return []
    result = await tx.run(_STATEMENTS[name], given(items))
    return [row async for record in result for row in record["rows"]]
