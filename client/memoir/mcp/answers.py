"""The structured output of the tools.

These classes have no slots, because the library would take the attributes of slots for defaults.
"""

from __future__ import annotations

from dataclasses import dataclass

from memoir.graph import Entity, Relation
from memoir.memories import Memory
from memoir.results import AddResult, Hit


@dataclass(frozen=True)
class MemoryAnswer:
    """A memory. `event_time` is when its conversation happened."""

    id: str
    text: str
    categories: list[str]
    event_time: str
    expiration_date: str | None


@dataclass(frozen=True)
class MemoriesAnswer:
    """Memories, newest first; `more` is whether there are more."""

    memories: list[MemoryAnswer]
    more: bool


@dataclass(frozen=True)
class HitAnswer:
    """A hit; without an `id` it is a passage: something that was said but became no memory."""

    id: str | None
    text: str
    score: float
    event_time: str


@dataclass(frozen=True)
class HitsAnswer:
    """Hits, best first."""

    hits: list[HitAnswer]


@dataclass(frozen=True)
class ChangeAnswer:
    """A change of a memory: ADD, UPDATE or DELETE."""

    id: str
    text: str
    event: str


@dataclass(frozen=True)
class ChangesAnswer:
    """The changes, and what was left out and why."""

    changes: list[ChangeAnswer]
    notices: list[str]


@dataclass(frozen=True)
class DeletedAnswer:
    """The memory that was deleted."""

    id: str
    text: str


@dataclass(frozen=True)
class RelationAnswer:
    """A statement about two entities."""

    source: str
    relation: str
    target: str
    memory_id: str


@dataclass(frozen=True)
class EntityAnswer:
    """A person, place, organization or thing."""

    name: str
    type: str
    aliases: list[str]


@dataclass(frozen=True)
class GraphAnswer:
    """An entity and its neighborhood; `truncated` is whether a part is missing."""

    entity: EntityAnswer
    neighbors: list[EntityAnswer]
    relations: list[RelationAnswer]
    truncated: bool


def memory_answer(memory: Memory) -> MemoryAnswer:
    """Returns a memory."""
    return MemoryAnswer(
        memory.id,
        memory.text,
        list(memory.categories),
        memory.event_time.isoformat(),
        memory.expiration_date.isoformat() if memory.expiration_date else None,
    )


def hit_answer(hit: Hit) -> HitAnswer:
    """Returns a hit of a search."""
    found = hit.found
    memory_id = found.id if isinstance(found, Memory) else None
    return HitAnswer(memory_id, found.text, hit.score, found.event_time.isoformat())


def changes_answer(result: AddResult) -> ChangesAnswer:
    """Returns the changes of an add."""
    changes = [ChangeAnswer(each.id, each.text, each.event.value) for each in result]
    return ChangesAnswer(changes, [notice.text for notice in result.notices])


def entity_answer(entity: Entity) -> EntityAnswer:
    """Returns an entity."""
    return EntityAnswer(entity.name, entity.type, list(entity.aliases))


def relation_answer(relation: Relation) -> RelationAnswer:
    """Returns a relation."""
    return RelationAnswer(relation.source, relation.relation, relation.target, relation.memory_id)
