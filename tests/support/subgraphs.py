"""Short builders of the subgraphs of memories."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from server.graph.model import Entity, MemorySubgraph, Relation, RelationCursor, StatedRelation
from server.memories.scope import Scope

PROJECT = "project-1"
ALICE = Scope(user_id="alice")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

Triple = tuple[str, str, str]


def memory_id(number: int) -> UUID:
    """Returns an id that sorts by its number."""
    return UUID(int=number)


def stating(
    number: int,
    *triples: Triple,
    entities: Iterable[Entity] = (),
    scope: Scope = ALICE,
    project_id: str = PROJECT,
    version: int = 1,
    minute: int = 0,
) -> MemorySubgraph:
    """Returns a memory that states these relations, `minute` minutes after noon."""
    return MemorySubgraph(
        project_id=project_id,
        memory_id=memory_id(number),
        exists=True,
        version=version,
        scope=scope,
        entities=tuple(entities),
        relations=tuple(Relation(Entity(s), relation, Entity(t)) for s, relation, t in triples),
        event_time=NOON + timedelta(minutes=minute),
        correlation_id=f"call-{number}",
    )


def gone(number: int, *, project_id: str = PROJECT) -> MemorySubgraph:
    """Returns a deleted memory."""
    return MemorySubgraph(project_id=project_id, memory_id=memory_id(number), exists=False)


def triple(stated: StatedRelation) -> Triple:
    """Returns the triple of a relation."""
    relation = stated.relation
    return relation.source.name, relation.relation, relation.target.name


def cursor_after(stated: StatedRelation) -> RelationCursor:
    """Returns the cursor right after a relation."""
    relation = stated.relation
    return RelationCursor(
        event_time=stated.event_time,
        memory_id=stated.memory_id,
        source_key=relation.source.key,
        relation=relation.relation,
        target_key=relation.target.key,
    )
