"""Computes the relations that a set of memories states: the graph's rules, without a graph.

What the graph holds follows from the memories of a space, so the graph of a past instant follows
from the memories of that instant (see
`server.graph.entities.aliases` and `server.graph.project.supersession`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from server.graph.entities.aliases import Joins, Pair, Split, TaughtAlias, apart
from server.graph.entities.mentions import mentions_of, naming_mentions
from server.graph.model import (
    Entity,
    EntityRef,
    KnownEntity,
    MemorySubgraph,
    Relation,
    StatedRelation,
    entity_key,
    newest_first,
)
from server.graph.project.supersession import Holding, is_functional, superseded_at
from server.memories.memory import Memory


@dataclass(frozen=True, slots=True)
class PastSpace:
    """The graph of one space: its entities by key, the memories that mention them, and relations.

    All of it, names and types and ends too, comes from these memories.
    """

    name: str
    joins: Joins
    entities: Mapping[str, Entity]
    mentioned_by: Mapping[str, Sequence[UUID]]
    relations: Sequence[StatedRelation]

    def about(self, entity: str | None) -> Iterable[StatedRelation]:
        """Yields the relations with the entity at either end, by name or alias; all for None."""
        wanted = None if entity is None else self.joins.key(entity_key(entity))
        return (r for r in self.relations if wanted in (None, r.source_key, r.target_key))

    def named(self, name: str) -> KnownEntity | None:
        """Returns the entity with this name or alias, if a memory mentions it."""
        key = self.joins.key(entity_key(name))
        return self.known(key) if self.mentioned_by.get(key) else None

    def known(self, key: str) -> KnownEntity:
        """Returns the entity with this key and the number of memories that mention it."""
        ref = EntityRef(self.name, key)
        return KnownEntity(ref, self.entities[key], len(self.mentioned_by[key]))


def spaces_of(memories: Iterable[Memory], splits: Iterable[Split] = ()) -> list[PastSpace]:
    """Returns the graphs that result from the memories and splits, one for each space."""
    split: dict[str, set[Pair]] = {}
    for each in splits:
        split.setdefault(each.space, set()).add(each.pair)
    by_space: dict[str, list[Memory]] = {}
    for memory in memories:
        space = memory.scope.graph_space()
        by_space.setdefault(space, []).append(_apart(memory, split.get(space, frozenset())))
    return [_space(name, found) for name, found in by_space.items()]


def _apart(memory: Memory, splits: Set[Pair]) -> Memory:
    entities, relations = apart(memory.entities, memory.relations, memory.text, splits)
    return replace(memory, entities=entities, relations=relations)


def relations_of(spaces: Iterable[PastSpace], entity: str | None = None) -> list[StatedRelation]:
    """Returns all relations, newest event first, in the order of lists of relations.

    With `entity`, returns only those with it at either end, by name or alias.
    """
    return newest_first(each for space in spaces for each in space.about(entity))


def _space(name: str, memories: Sequence[Memory]) -> PastSpace:
    joins = Joins(_taught(memories))
    mentions = [each for memory in memories for each in mentions_of(_subgraph(memory, joins))]
    mentioned_by: dict[str, list[UUID]] = {}
    for mention in mentions:
        mentioned_by.setdefault(mention.entity.key, []).append(UUID(mention.memory_id))
    entities = {
        key.key: Entity(naming.name, naming.type, naming.aliases)
        for key, naming in naming_mentions(mentions).items()
    }
    stated = dict.fromkeys(each for memory in memories for each in _of_memory(memory, joins))
    relations = [_with_names(each, entities) for each in _with_ends(list(stated))]
    return PastSpace(name, joins, entities, mentioned_by, list(dict.fromkeys(relations)))


def _taught(memories: Iterable[Memory]) -> Iterable[TaughtAlias]:
    for memory in memories:
        for entity in memory.entities:
            for alias in entity.aliases:
                yield TaughtAlias(str(memory.id), entity.name, alias)


def _subgraph(memory: Memory, joins: Joins) -> MemorySubgraph:
    return MemorySubgraph(
        memory.project_id,
        memory.id,
        exists=True,
        scope=memory.scope,
        entities=memory.entities,
        relations=memory.relations,
        joined=joins.resolved,
        aliases=joins.aliases,
    )


def _of_memory(memory: Memory, joins: Joins) -> Iterable[StatedRelation]:
    for relation in memory.relations:
        own = relation.source.key, relation.target.key
        source, target = (joins.key(key) for key in own)
        # A relation of an entity with itself that results only from joined names says nothing.
        if source != target or own[0] == own[1]:
            yield StatedRelation(
                relation, memory.id, memory.event_time, source_key=source, target_key=target
            )


def _with_names(stated: StatedRelation, entities: Mapping[str, Entity]) -> StatedRelation:
    """Returns the relation with the names of its entities instead of those in the memory."""
    source, target = entities[stated.source_key], entities[stated.target_key]
    return replace(stated, relation=Relation(source, stated.relation.relation, target))


def _with_ends(stated: Sequence[StatedRelation]) -> list[StatedRelation]:
    """Returns the same relations, each with the time until which it held."""
    slots: dict[tuple[str, str], list[StatedRelation]] = {}
    for each in stated:
        if is_functional(each.relation.relation):
            slots.setdefault((each.source_key, each.relation.relation), []).append(each)
    ends = {
        each: end for slot in slots.values() for each, end in zip(slot, _ends(slot), strict=True)
    }
    return [replace(each, superseded_at=ends.get(each)) for each in stated]


def _ends(slot: Sequence[StatedRelation]) -> list[datetime | None]:
    holdings = [Holding(str(s.memory_id), s.target_key, s.event_time) for s in slot]
    ends = superseded_at(holdings)
    return [ends[holding] for holding in holdings]
