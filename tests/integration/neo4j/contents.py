"""The actual and the expected contents of a Neo4j database, as values to compare."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from neo4j import AsyncDriver

from server.graph.model import Entity, MemorySubgraph
from server.storage.neo4j.rows import read_time

EntityId = tuple[str, str, str]


@dataclass(frozen=True)
class Contents:
    """Sorted, so that duplicates show."""

    entities: list[tuple[EntityId, str, str]]
    memories: list[tuple[str, str, int, tuple[str | None, ...]]]
    mentions: list[tuple[str, EntityId]]
    relations: list[tuple[str, EntityId, str, EntityId, datetime]]


async def read_contents(driver: AsyncDriver) -> Contents:
    """The actual contents, by whole scans."""
    entities, _, _ = await driver.execute_query(
        "MATCH (e:Entity) RETURN e.project_id, e.space, e.key, e.name, e.type"
    )
    memories, _, _ = await driver.execute_query(
        "MATCH (m:Memory) RETURN m.project_id, m.memory_id, m.version, "
        "[m.user_id, m.agent_id, m.app_id, m.run_id]"
    )
    mentions, _, _ = await driver.execute_query(
        "MATCH (m:Memory)-[:MENTIONS]->(e) RETURN m.memory_id, e.project_id, e.space, e.key"
    )
    relations, _, _ = await driver.execute_query(
        "MATCH (s)-[r:RELATES_TO]->(t) RETURN r.memory_id, s.project_id, s.space, s.key, "
        "r.relation, t.project_id, t.space, t.key, r.event_time"
    )
    return Contents(
        entities=sorted(((r[0], r[1], r[2]), r[3], r[4]) for r in entities),
        memories=sorted((r[0], r[1], r[2], tuple(r[3])) for r in memories),
        mentions=sorted((r[0], (r[1], r[2], r[3])) for r in mentions),
        relations=sorted(
            (r[0], (r[1], r[2], r[3]), r[4], (r[5], r[6], r[7]), read_time(r[8])) for r in relations
        ),
    )


def expected_contents(subgraphs: Iterable[MemorySubgraph]) -> Contents:
    """The expected contents for these last states of memories, in the simplest code."""
    existing = sorted((s for s in subgraphs if s.exists), key=lambda s: str(s.memory_id))
    spellings: dict[EntityId, list[Entity]] = {}
    mentions: set[tuple[str, EntityId]] = set()
    for subgraph in existing:
        own: dict[EntityId, Entity] = {}
        for entity in _named(subgraph):
            identity = _identity(subgraph, entity)
            first = own.setdefault(identity, entity)
            own[identity] = Entity(first.name, first.type or entity.type)
        for identity, entity in own.items():
            spellings.setdefault(identity, []).append(entity)
            mentions.add((str(subgraph.memory_id), identity))
    relations = {
        (
            str(s.memory_id),
            _identity(s, r.source),
            r.relation,
            _identity(s, r.target),
            s.event_time,
        )
        for s in existing
        for r in s.relations
        if s.event_time
    }
    return Contents(
        entities=sorted(
            (identity, *_first_with_type(found)) for identity, found in spellings.items()
        ),
        memories=sorted(
            (
                s.project_id,
                str(s.memory_id),
                s.version,
                (s.scope.user_id, s.scope.agent_id, s.scope.app_id, s.scope.run_id),
            )
            for s in existing
        ),
        mentions=sorted(mentions),
        relations=sorted(relations),
    )


def _named(subgraph: MemorySubgraph) -> list[Entity]:
    ends = [end for r in subgraph.relations for end in (r.source, r.target)]
    return [*subgraph.entities, *ends]


def _identity(subgraph: MemorySubgraph, entity: Entity) -> EntityId:
    return subgraph.project_id, subgraph.scope.graph_space(), entity.key


def _first_with_type(spellings: list[Entity]) -> tuple[str, str]:
    chosen = next((entity for entity in spellings if entity.type), spellings[0])
    return chosen.name, chosen.type
