"""The edges of a memory in the graph, and the rows of statements, as values and back."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Generic, TypeVar

from server.core.clock import UNIX_EPOCH, microseconds
from server.graph.mentions import EntityKey, Mention, mentions_of, relations_in
from server.graph.model import MemorySubgraph, entity_key
from server.graph.project.supersession import is_functional
from server.memories.scope import Scope
from server.storage.neo4j.terms import entity_terms, index_key, is_storable, relation_slot


@dataclass(frozen=True, slots=True)
class RelationEdge:
    """A memory states that `source` relates to `target`."""

    memory_id: str
    source: EntityKey
    relation: str
    target: EntityKey
    event_time: datetime
    scope: Scope
    expires_on: date | None = None
    slot: str | None = field(init=False, compare=False, default=None)
    """The key that it shares with relations that can supersede it; None if none can."""

    @property
    def project_id(self) -> str:
        """The memory's project."""
        return self.source.project_id

    def __post_init__(self) -> None:
        """Computes the slot from the other fields."""
        if is_functional(self.relation):
            subject = self.source
            slot = relation_slot(subject.project_id, subject.space, subject.key, self.relation)
            object.__setattr__(self, "slot", slot)


def wanted_mentions(subgraph: MemorySubgraph) -> list[Mention]:
    """Returns the memory's mentions, by the keys that the graph stores."""
    return [_by_stored_key(mention) for mention in mentions_of(subgraph)]


def _by_stored_key(mention: Mention) -> Mention:
    stored = _stored(mention.entity)
    return mention if stored is mention.entity else replace(mention, entity=stored)


def _stored(entity: EntityKey) -> EntityKey:
    return entity if is_storable(entity.key) else replace(entity, key=index_key(entity.key))


def wanted_relations(subgraph: MemorySubgraph) -> list[RelationEdge]:
    """Returns the memory's relations, by the keys that the graph stores.

    Raises:
        ValueError: the memory has relations but no event time.
    """
    if not subgraph.exists or not subgraph.relations:
        return []
    if subgraph.event_time is None:
        raise ValueError("a memory that states relations has no event time")
    return [
        RelationEdge(
            str(subgraph.memory_id),
            _stored(source),
            relation.relation,
            _stored(target),
            subgraph.event_time,
            subgraph.scope,
            subgraph.expires_on,
        )
        for relation, source, target in relations_in(subgraph)
    ]


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


Row = dict[str, Any]
"""A row that a statement takes."""

Found = Mapping[str, Any]
"""A row that a statement returns."""


def memory_identity(subgraph: MemorySubgraph) -> tuple[str, str]:
    """Returns the identity of a memory's node."""
    return subgraph.project_id, str(subgraph.memory_id)


def memory(subgraph: MemorySubgraph) -> Row:
    """Returns a memory's node."""
    return {
        "project_id": subgraph.project_id,
        "memory_id": str(subgraph.memory_id),
        "version": subgraph.version,
        **subgraph.scope.fields(),
    }


def entity_identity(key: EntityKey) -> Row:
    """Returns the identity of an entity's node."""
    return {"project_id": key.project_id, "space": key.space, "key": key.key}


def found_by(record: Found) -> Row:
    """Returns the properties by which an entity is found, from a row with its names."""
    aliases = record["aliases"] or []
    project_id, space = record["project_id"], record["space"]
    return {
        "terms": entity_terms(project_id, space, record["name"], aliases),
        "alias_keys": [index_key(entity_key(alias)) for alias in aliases] or None,
    }


def mention(value: Mention) -> Row:
    """Returns a relationship MENTIONS, with the identity of its entity."""
    return {**entity_identity(value.entity), "memory_id": value.memory_id, **naming(value)}


def naming(value: Mention) -> Row:
    """Returns the properties of a relationship MENTIONS."""
    return {
        "name": value.name,
        "type": value.type,
        "rank": value.rank,
        # Most entities have no aliases, and an absent property costs nothing.
        "aliases": list(value.aliases) or None,
    }


def named_entity(value: Mention) -> Row:
    """Returns the entity of a mention, with the mention's name."""
    row = {**entity_identity(value.entity), **naming(value)}
    return row | found_by(row)


def relation(value: RelationEdge, superseded_at: datetime | None) -> Row:
    """Returns the properties of a relationship RELATES_TO."""
    properties = {
        "project_id": value.project_id,
        "memory_id": value.memory_id,
        "relation": value.relation,
        "event_time": microseconds(value.event_time),
        "superseded_at": superseded_at and microseconds(superseded_at),
        "slot": value.slot,
        "expires_on": value.expires_on.isoformat() if value.expires_on else None,
        **value.scope.fields(),
    }
    return {name: each for name, each in properties.items() if each is not None}


def read_mention(record: Found) -> Mention:
    """Returns the mention in a row of `stored_mentions`."""
    key = EntityKey(record["project_id"], record["space"], record["key"])
    return Mention(
        record["memory_id"],
        key,
        record["name"],
        record["type"],
        own_name=record["rank"].startswith("0"),
        aliases=tuple(record["aliases"] or ()),
    )


def read_relation(record: Found) -> RelationEdge:
    """Returns the relation in a row of `stored_relations`."""
    project_id, space = record["project_id"], record["space"]
    return RelationEdge(
        record["memory_id"],
        EntityKey(project_id, space, record["source"]),
        record["relation"],
        EntityKey(project_id, space, record["target"]),
        read_time(record["event_time"]),
        read_scope(record),
        date.fromisoformat(record["expires_on"]) if record["expires_on"] else None,
    )


def read_scope(record: Found) -> Scope:
    """Returns the scope in a row with its four fields."""
    return Scope(record["user_id"], record["agent_id"], record["app_id"], record["run_id"])


def read_time(stored: int) -> datetime:
    """Returns an instant in UTC; the graph stores the microseconds from 1970 to it."""
    return UNIX_EPOCH + timedelta(microseconds=stored)


def edge(project_id: str, memory_id: str, element_id: str) -> Row:
    """Returns the identity of an existing edge."""
    return {"project_id": project_id, "memory_id": memory_id, "element_id": element_id}


def edge_end(found: Found, superseded_at: datetime | None) -> Row:
    """Returns the new end of a relation in a row of `slot_relations`."""
    there = edge(found["project_id"], found["memory_id"], found["element_id"])
    return there | {"superseded_at": superseded_at and microseconds(superseded_at)}
