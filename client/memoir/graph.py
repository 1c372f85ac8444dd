"""Entities and relations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from memoir.v1 import graph_service_pb2, memory_pb2
from memoir.values import to_datetime


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation of two entities, the memory that states it, and when it was true."""

    source: str
    relation: str
    target: str
    source_type: str
    target_type: str
    memory_id: str
    event_time: datetime
    valid_from: datetime
    superseded_at: datetime | None

    @classmethod
    def from_proto(cls, message: memory_pb2.Relation) -> Relation:
        """Returns the relation in a message."""
        superseded = message.superseded_at if message.HasField("superseded_at") else None
        return cls(
            source=message.source,
            relation=message.relation,
            target=message.target,
            source_type=message.source_type,
            target_type=message.target_type,
            memory_id=message.memory_id,
            event_time=to_datetime(message.event_time),
            valid_from=to_datetime(message.valid_from),
            superseded_at=None if superseded is None else to_datetime(superseded),
        )


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity that memories mention, and how many of them do."""

    name: str
    type: str
    memory_count: int
    aliases: tuple[str, ...]
    space: str

    @classmethod
    def from_proto(cls, message: graph_service_pb2.Entity) -> Entity:
        """Returns the entity in a message."""
        return cls(
            message.name, message.type, message.memory_count, tuple(message.aliases), message.space
        )


@dataclass(frozen=True, slots=True)
class EntityNeighborhood:
    """An entity and its neighborhood; `truncated` is whether a part is missing."""

    entity: Entity
    neighbors: tuple[Entity, ...]
    relations: tuple[Relation, ...]
    truncated: bool

    @classmethod
    def from_proto(cls, message: graph_service_pb2.GetEntityResponse) -> EntityNeighborhood:
        """Returns the neighborhood in a message."""
        return cls(
            entity=Entity.from_proto(message.entity),
            neighbors=tuple(Entity.from_proto(neighbor) for neighbor in message.neighbors),
            relations=tuple(Relation.from_proto(relation) for relation in message.relations),
            truncated=message.truncated,
        )
