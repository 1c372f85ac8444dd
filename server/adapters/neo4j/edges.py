"""What one memory puts into the graph, as values that can be compared with what is there."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar

from server.adapters.neo4j.keys import index_key
from server.domain.graph import Entity, MemorySubgraph
from server.domain.scope import Scope


@dataclass(frozen=True, slots=True, order=True)
class EntityKey:
    """What identifies an entity."""

    project_id: str
    space: str
    key: str


@dataclass(frozen=True, slots=True)
class Mention:
    """A memory mentions an entity, under this name and type."""

    memory_id: str
    entity: EntityKey
    name: str
    type: str

    @property
    def rank(self) -> str:
        """Of all mentions of an entity, the one of the lowest rank gives it its name and type.

        First those that know the type, then by memory id, that is by age. So the name does not
        depend on the order in which memories are projected.
        """
        return f"{0 if self.type else 1}:{self.memory_id}"


@dataclass(frozen=True, slots=True)
class Statement:
    """A memory states that `source` relates to `target`."""

    memory_id: str
    source: EntityKey
    relation: str
    target: EntityKey
    event_time: datetime
    scope: Scope


def wanted_mentions(subgraph: MemorySubgraph) -> list[Mention]:
    """One mention for each entity that the memory names, be it in a relation only."""
    if not subgraph.exists:
        return []
    space = subgraph.scope.graph_space()
    mentions: dict[EntityKey, Mention] = {}
    for entity in _entities(subgraph):
        key = EntityKey(subgraph.project_id, space, index_key(entity.key))
        first = mentions.get(key)
        if first is None:
            mentions[key] = Mention(str(subgraph.memory_id), key, entity.name, entity.type)
        elif not first.type:
            mentions[key] = replace(first, type=entity.type)
    return list(mentions.values())


def wanted_statements(subgraph: MemorySubgraph) -> list[Statement]:
    """The memory's relations.

    Raises:
        ValueError: it has relations and no event time, under which they would be found.
    """
    if not subgraph.exists or not subgraph.relations:
        return []
    if subgraph.event_time is None:
        raise ValueError("a memory that states relations has no event time")
    project_id, space = subgraph.project_id, subgraph.scope.graph_space()
    return [
        Statement(
            str(subgraph.memory_id),
            EntityKey(project_id, space, index_key(relation.source.key)),
            relation.relation,
            EntityKey(project_id, space, index_key(relation.target.key)),
            subgraph.event_time,
            subgraph.scope,
        )
        for relation in subgraph.relations
    ]


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
