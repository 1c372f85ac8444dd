"""The edges of a memory in the graph, as values that can be compared with stored edges."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Generic, TypeVar

from server.graph.model import MemorySubgraph, Relation
from server.graph.names import EntityKey, Mention, entity_key_in, mentions_of
from server.graph.project.supersession import is_functional
from server.memories.scope import Scope
from server.storage.neo4j.terms import index_key, is_storable, slot_key


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
    slot: str | None = field(init=False, compare=False, default=None)
    """The key that it shares with statements that can supersede it; None if none can."""

    @property
    def project_id(self) -> str:
        """The memory's project."""
        return self.source.project_id

    def __post_init__(self) -> None:
        """Computes the slot from the other fields."""
        if is_functional(self.relation):
            of = self.source
            slot = slot_key(of.project_id, of.space, of.key, self.relation)
            object.__setattr__(self, "slot", slot)


def wanted_mentions(subgraph: MemorySubgraph) -> list[Mention]:
    """Returns the memory's mentions, by the keys that the graph stores."""
    return [_by_stored_key(mention) for mention in mentions_of(subgraph)]


def _by_stored_key(mention: Mention) -> Mention:
    stored = _stored(mention.entity)
    return mention if stored is mention.entity else replace(mention, entity=stored)


def _stored(entity: EntityKey) -> EntityKey:
    return entity if is_storable(entity.key) else replace(entity, key=index_key(entity.key))


def wanted_statements(subgraph: MemorySubgraph) -> list[Statement]:
    """Returns the memory's relations, except relations of an entity with itself.

    Raises:
        ValueError: the memory has relations but no event time.
    """
    if not subgraph.exists or not subgraph.relations:
        return []
    if subgraph.event_time is None:
        raise ValueError("a memory that states relations has no event time")
    return [
        Statement(
            str(subgraph.memory_id),
            _stored(entity_key_in(subgraph, relation.source)),
            relation.relation,
            _stored(entity_key_in(subgraph, relation.target)),
            subgraph.event_time,
            subgraph.scope,
            subgraph.expires_on,
        )
        for relation in subgraph.relations
        if not _became_one(subgraph, relation)
    ]


def _became_one(subgraph: MemorySubgraph, relation: Relation) -> bool:
    """Whether both ends are one entity only because their names were joined."""
    ends = relation.source.key, relation.target.key
    source, target = (subgraph.joined.get(key, key) for key in ends)
    return source == target and ends[0] != ends[1]


EdgeT = TypeVar("EdgeT", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Difference(Generic[EdgeT]):
    """The edges to add, and the edges to remove with their element ids."""

    added: Sequence[EdgeT]
    removed: Sequence[EdgeT]
    removed_ids: Sequence[str]

    @property
    def changed(self) -> Sequence[EdgeT]:
        """The added and the removed edges."""
        return [*self.added, *self.removed]


def difference(wanted: Iterable[EdgeT], stored: Iterable[tuple[str, EdgeT]]) -> Difference[EdgeT]:
    """Returns how the wanted edges differ from the stored ones, given with their element ids."""
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
