"""What one memory puts into the graph, as values that can be compared with what is there."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Generic, TypeVar

from server.adapters.neo4j.keys import index_key, slot_key
from server.domain.graph import Entity, MemorySubgraph, Relation
from server.domain.scope import Scope
from server.domain.supersession import FUNCTIONAL_RELATIONS


@dataclass(frozen=True, slots=True, order=True)
class EntityKey:
    """What identifies an entity."""

    project_id: str
    space: str
    key: str


@dataclass(frozen=True, slots=True)
class Mention:
    """A memory mentions an entity, under this name and type.

    `own_name` says that the name is the entity's own and not an alias; `aliases` are the entity's.
    """

    memory_id: str
    entity: EntityKey
    name: str
    type: str
    own_name: bool = True
    aliases: tuple[str, ...] = ()

    @property
    def rank(self) -> str:
        """Of all mentions of an entity, the one of the lowest rank gives it its name and type.

        First those by its own name, then those that know the type, then by memory id, that is by
        age. So the name does not depend on the order in which memories are projected.
        """
        return f"{0 if self.own_name else 1}{0 if self.type else 1}:{self.memory_id}"


@dataclass(frozen=True, slots=True)
class Statement:
    """A memory states that `source` relates to `target`."""

    memory_id: str
    source: EntityKey
    relation: str
    target: EntityKey
    event_time: datetime
    scope: Scope
    expires_on: date | None = None

    @property
    def slot(self) -> str | None:
        """What it has in common with those that can supersede it; None if nothing can."""
        if self.relation not in FUNCTIONAL_RELATIONS:
            return None
        return slot_key(self.source.project_id, self.source.space, self.source.key, self.relation)


def wanted_mentions(subgraph: MemorySubgraph) -> list[Mention]:
    """One mention for each entity that the memory names, be it in a relation only."""
    if not subgraph.exists:
        return []
    mentions: dict[EntityKey, Mention] = {}
    for entity in _entities(subgraph):
        mention = _mention(subgraph, entity)
        first = mentions.get(mention.entity)
        mentions[mention.entity] = mention if first is None else _of_both(first, mention)
    return list(mentions.values())


def _mention(subgraph: MemorySubgraph, entity: Entity) -> Mention:
    key = _entity_key(subgraph, entity)
    resolved = subgraph.joined.get(entity.key, entity.key)
    return Mention(
        str(subgraph.memory_id),
        key,
        entity.name,
        entity.type,
        own_name=resolved == entity.key,
        aliases=tuple(subgraph.aliases.get(resolved, ())),
    )


def _of_both(first: Mention, second: Mention) -> Mention:
    """One mention of what is named twice: the entity's own name counts, and the first type."""
    named = second if second.own_name and not first.own_name else first
    return replace(named, type=first.type or second.type)


def _entity_key(subgraph: MemorySubgraph, entity: Entity) -> EntityKey:
    resolved = subgraph.joined.get(entity.key, entity.key)
    return EntityKey(subgraph.project_id, subgraph.scope.graph_space(), index_key(resolved))


def wanted_statements(subgraph: MemorySubgraph) -> list[Statement]:
    """The memory's relations. One of something with itself, under two names, says nothing.

    Raises:
        ValueError: it has relations and no event time, under which they would be found.
    """
    if not subgraph.exists or not subgraph.relations:
        return []
    if subgraph.event_time is None:
        raise ValueError("a memory that states relations has no event time")
    return [
        Statement(
            str(subgraph.memory_id),
            _entity_key(subgraph, relation.source),
            relation.relation,
            _entity_key(subgraph, relation.target),
            subgraph.event_time,
            subgraph.scope,
            subgraph.expires_on,
        )
        for relation in subgraph.relations
        if not _became_one(subgraph, relation)
    ]


def _became_one(subgraph: MemorySubgraph, relation: Relation) -> bool:
    """Whether the ends are one entity only because their names were joined."""
    ends = relation.source.key, relation.target.key
    source, target = (subgraph.joined.get(key, key) for key in ends)
    return source == target and ends[0] != ends[1]


def _entities(subgraph: MemorySubgraph) -> Iterable[Entity]:
    yield from subgraph.entities
    for relation in subgraph.relations:
        yield relation.source
        yield relation.target


EdgeT = TypeVar("EdgeT", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Difference(Generic[EdgeT]):
    """What has to change: edges to add, and edges to remove with the ids of their elements."""

    added: Sequence[EdgeT]
    removed: Sequence[EdgeT]
    removed_ids: Sequence[str]

    @property
    def changed(self) -> Sequence[EdgeT]:
        """Those added and those removed."""
        return [*self.added, *self.removed]


def difference(wanted: Iterable[EdgeT], stored: Iterable[tuple[str, EdgeT]]) -> Difference[EdgeT]:
    """What turns the stored edges, given with their elements' ids, into those wanted, each once."""
    missing = dict.fromkeys(wanted)
    removed: list[tuple[str, EdgeT]] = []
    for element_id, edge in stored:
        if edge in missing:
            del missing[edge]
        else:
            removed.append((element_id, edge))
    return Difference(
        added=list(missing),
        removed=[edge for _, edge in removed],
        removed_ids=[element_id for element_id, _ in removed],
    )
