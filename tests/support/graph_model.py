"""A model of the graph as a function of memories, to compare the real graph with."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from neo4j import AsyncDriver

from server.storage.neo4j.rows import read_time
from tests.support.subgraphs import Triple

ALIAS = "Bob"
"""The only name that memories can state as an alias."""

FUNCTIONAL = "lives_in"
"""The only functional relation here."""


@dataclass(frozen=True)
class Fact:
    """A memory in the model: its relations, and whose alias `ALIAS` is, if it states that.

    `last_day` is the last day on which it is visible.
    """

    memory_id: str
    version: int
    user: str
    triples: tuple[Triple, ...]
    alias_of: str | None
    time: datetime
    last_day: date | None


@dataclass(frozen=True)
class GraphState:
    """The contents of a graph for one project; relations with the time at which they ended."""

    memories: frozenset[tuple[str, int]]
    mentions: frozenset[tuple[str, str, str]]
    entities: tuple[tuple[str, str], ...]
    relations: tuple[tuple[str, str, str, str, datetime | None], ...]


def expected(facts: Iterable[Fact], day: date) -> GraphState:
    """Returns the required contents of the graph on that day."""
    visible = [fact for fact in facts if fact.last_day is None or fact.last_day >= day]
    mentions: set[tuple[str, str, str]] = set()
    stated: list[tuple[Fact, str, str, str]] = []
    for fact in visible:
        of_user = [each for each in visible if each.user == fact.user]
        for source, kind, target in fact.triples:
            ends = _entity(source, of_user), _entity(target, of_user)
            mentions |= {(fact.memory_id, f"user:{fact.user}", end) for end in ends}
            if ends[0] != ends[1] or source == target:
                stated.append((fact, ends[0], kind, ends[1]))
        if fact.alias_of:
            entity = _entity(fact.alias_of, of_user)
            mentions.add((fact.memory_id, f"user:{fact.user}", entity))
    return GraphState(
        memories=frozenset(
            (fact.memory_id, fact.version) for fact in visible if fact.triples or fact.alias_of
        ),
        mentions=frozenset(mentions),
        entities=tuple(sorted({(space, key) for _, space, key in mentions})),
        relations=tuple(
            sorted(
                {
                    (fact.memory_id, source, kind, target, _end(fact, source, kind, target, stated))
                    for fact, source, kind, target in stated
                },
                key=str,
            )
        ),
    )


def _entity(name: str, of_user: Collection[Fact]) -> str:
    owners = {fact.alias_of for fact in of_user if fact.alias_of}
    if name == ALIAS and len(owners) == 1:
        return owners.pop().casefold()
    return name.casefold()


def _end(
    fact: Fact, source: str, kind: str, target: str, stated: Collection[tuple[Fact, str, str, str]]
) -> datetime | None:
    """Returns when the next memory stated only another value; times of memories differ."""
    if kind != FUNCTIONAL:
        return None
    later: dict[datetime, set[str]] = {}
    for other, its_source, its_kind, its_target in stated:
        same = (other.user, its_source, its_kind) == (fact.user, source, kind)
        if same and other.time > fact.time:
            later.setdefault(other.time, set()).add(its_target)
    return min((time for time, targets in later.items() if target not in targets), default=None)


async def read_state(driver: AsyncDriver, project_id: str) -> GraphState:
    """Reads the contents of Neo4j by full scans, so that duplicates show."""

    async def rows(query: str) -> list[tuple[str, ...]]:
        found, _, _ = await driver.execute_query(query, p=project_id, database_="neo4j")
        return [tuple(record.values()) for record in found]

    memories = await rows("MATCH (m:Memory {project_id: $p}) RETURN m.memory_id, m.version")
    mentions = await rows(
        "MATCH (m:Memory {project_id: $p})-[:MENTIONS]->(e) RETURN m.memory_id, e.space, e.key"
    )
    entities = await rows("MATCH (e:Entity {project_id: $p}) RETURN e.space, e.key")
    relations, _, _ = await driver.execute_query(
        "MATCH (s)-[r:RELATES_TO {project_id: $p}]->(t) "
        "RETURN r.memory_id, s.key, r.relation, t.key, r.superseded_at",
        p=project_id,
        database_="neo4j",
    )
    assert len(set(mentions)) == len(mentions), "an entity is mentioned twice by a memory"
    return GraphState(
        frozenset((memory_id, int(version)) for memory_id, version in memories),
        frozenset((memory_id, space, key) for memory_id, space, key in mentions),
        tuple(sorted((space, key) for space, key in entities)),
        tuple(sorted(((*r[:4], _time(r[4])) for r in map(tuple, relations)), key=str)),
    )


def _time(value: int | None) -> datetime | None:
    return read_time(value) if value else None
