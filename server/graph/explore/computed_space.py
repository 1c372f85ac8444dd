"""The graph of some memories, computed from them without Neo4j: entities and relations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from server.graph.mentions import mentions_of, naming_mentions, relations_in
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
from server.graph.names import Joins, Pair, Split, StatedAlias, with_splits
from server.graph.project.supersession import Holding, is_functional, superseded_at
from server.memories.memory import Memory


@dataclass(frozen=True, slots=True)
class ComputedSpace:
    """A graph space as some memories state it: entities by key, who mentions them, relations.

    Names, types and ends of relations come from these memories alone.
    """

    name: str
    joins: Joins
    entities: Mapping[str, Entity]
    mentioned_by: Mapping[str, Sequence[UUID]]
    relations: Sequence[StatedRelation]

    def about(self, entity: str | None) -> Iterable[StatedRelation]:
        """Yields the relations with the entity at either end, by name or alias; all for None."""
        key = None if entity is None else self.joins.key(entity_key(entity))
        return (r for r in self.relations if key in (None, r.source_key, r.target_key))

    def named(self, name: str) -> KnownEntity | None:
        """Returns the entity with this name or alias, if a memory mentions it."""
        key = self.joins.key(entity_key(name))
        return self.known(key) if self.mentioned_by.get(key) else None

    def known(self, key: str) -> KnownEntity:
        """Returns the entity with this key and the number of memories that mention it."""
        ref = EntityRef(self.name, key)
        return KnownEntity(ref, self.entities[key], len(self.mentioned_by[key]))


def spaces_of(memories: Iterable[Memory], splits: Iterable[Split] = ()) -> list[ComputedSpace]:
    """Returns the graphs that result from the memories and splits, one for each space."""
    split: dict[str, set[Pair]] = {}
    for each in splits:
        split.setdefault(each.space, set()).add(each.pair)
    by_space: dict[str, list[Memory]] = {}
    for memory in memories:
        space = memory.scope.graph_space()
        by_space.setdefault(space, []).append(_split(memory, split.get(space, frozenset())))
    return [_space(name, found) for name, found in by_space.items()]


def _split(memory: Memory, splits: Set[Pair]) -> Memory:
    """Returns the memory with these names as entities of their own."""
    entities, relations = with_splits(memory.entities, memory.relations, memory.text, splits)
    return replace(memory, entities=entities, relations=relations)


def relations_of(
    spaces: Iterable[ComputedSpace], entity: str | None = None
) -> list[StatedRelation]:
    """Returns all relations, in the order of `newest_first`.

    With `entity`, returns only relations with that entity at either end, by name or alias.
    """
    return newest_first(each for space in spaces for each in space.about(entity))


def _space(name: str, memories: Sequence[Memory]) -> ComputedSpace:
    joins = Joins(_stated_aliases(memories))
    return computed_space(name, joins, [_subgraph(memory, joins) for memory in memories])


def computed_space(name: str, joins: Joins, subgraphs: Sequence[MemorySubgraph]) -> ComputedSpace:
    """Returns the graph of a space that results from these subgraphs of its memories."""
    mentions = [each for subgraph in subgraphs for each in mentions_of(subgraph)]
    mentioned_by: dict[str, list[UUID]] = {}
    for mention in mentions:
        mentioned_by.setdefault(mention.entity.key, []).append(UUID(mention.memory_id))
    entities = {
        key.key: Entity(naming.name, naming.type, naming.aliases)
        for key, naming in naming_mentions(mentions).items()
    }
    stated = dict.fromkeys(each for subgraph in subgraphs for each in _stated(subgraph))
    relations = [_with_names(each, entities) for each in _with_ends(list(stated))]
    return ComputedSpace(name, joins, entities, mentioned_by, list(dict.fromkeys(relations)))


def _stated_aliases(memories: Iterable[Memory]) -> Iterable[StatedAlias]:
    for memory in memories:
        for entity in memory.entities:
            for alias in entity.aliases:
                yield StatedAlias(str(memory.id), entity.name, alias)


def _subgraph(memory: Memory, joins: Joins) -> MemorySubgraph:
    return MemorySubgraph(
        memory.project_id,
        memory.id,
        exists=True,
        scope=memory.scope,
        entities=memory.entities,
        relations=memory.relations,
        event_time=memory.event_time,
        joined=joins.resolved,
        aliases=joins.aliases,
    )


def _stated(subgraph: MemorySubgraph) -> Iterable[StatedRelation]:
    if subgraph.event_time is None:
        return
    for relation, source, target in relations_in(subgraph):
        yield StatedRelation(
            relation,
            subgraph.memory_id,
            subgraph.event_time,
            source_key=source.key,
            target_key=target.key,
        )


def _with_names(stated: StatedRelation, entities: Mapping[str, Entity]) -> StatedRelation:
    """Returns the relation with the names of its entities instead of those in the memory."""
    source, target = entities[stated.source_key], entities[stated.target_key]
    return replace(stated, relation=Relation(source, stated.relation.relation, target))


def _with_ends(stated: Sequence[StatedRelation]) -> list[StatedRelation]:
    """Returns the same relations, each with the time at which it was superseded."""
    slots: dict[tuple[str, str], list[StatedRelation]] = {}
    for each in stated:
        if is_functional(each.relation.relation):
            slots.setdefault((each.source_key, each.relation.relation), []).append(each)
    ends: dict[StatedRelation, datetime | None] = {}
    for slot in slots.values():
        ends |= zip(slot, _ends(slot), strict=True)
    return [replace(each, superseded_at=ends.get(each)) for each in stated]


def _ends(slot: Sequence[StatedRelation]) -> list[datetime | None]:
    holdings = [Holding(str(s.memory_id), s.target_key, s.event_time) for s in slot]
    ends = superseded_at(holdings)
    return [ends[holding] for holding in holdings]
