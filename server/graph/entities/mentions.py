"""Which entities a memory mentions, and which of the mentions gives an entity its name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from server.graph.model import Entity, MemorySubgraph


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
    def project_id(self) -> str:
        """The memory's project."""
        return self.entity.project_id

    @property
    def rank(self) -> str:
        """Of all mentions of an entity, the one of the lowest rank gives it its name and type.

        First those by its own name, then those that know the type, then by memory id, that is by
        age. So the name does not depend on the order in which memories are projected.
        """
        return f"{0 if self.own_name else 1}{0 if self.type else 1}:{self.memory_id}"


def mentions_of(subgraph: MemorySubgraph) -> list[Mention]:
    """One mention for each entity that the memory names, be it in a relation only."""
    if not subgraph.exists:
        return []
    mentions: dict[EntityKey, Mention] = {}
    for entity in _entities(subgraph):
        mention = _mention(subgraph, entity)
        first = mentions.get(mention.entity)
        mentions[mention.entity] = mention if first is None else _of_both(first, mention)
    return list(mentions.values())


def naming_mentions(mentions: Iterable[Mention]) -> dict[EntityKey, Mention]:
    """Of each entity the mention of the lowest rank."""
    by_falling_rank = sorted(mentions, key=lambda mention: mention.rank, reverse=True)
    return {mention.entity: mention for mention in by_falling_rank}


def entity_key_in(subgraph: MemorySubgraph, entity: Entity) -> EntityKey:
    """The entity that a name of the memory stands for."""
    resolved = subgraph.joined.get(entity.key, entity.key)
    return EntityKey(subgraph.project_id, subgraph.scope.graph_space(), resolved)


def _mention(subgraph: MemorySubgraph, entity: Entity) -> Mention:
    key = entity_key_in(subgraph, entity)
    return Mention(
        str(subgraph.memory_id),
        key,
        entity.name,
        entity.type,
        own_name=key.key == entity.key,
        aliases=tuple(subgraph.aliases.get(key.key, ())),
    )


def _of_both(first: Mention, second: Mention) -> Mention:
    """One mention of what is named twice: the entity's own name counts, and the first type."""
    named = second if second.own_name and not first.own_name else first
    return replace(named, type=first.type or second.type)


def _entities(subgraph: MemorySubgraph) -> Iterable[Entity]:
    yield from subgraph.entities
    for relation in subgraph.relations:
        yield relation.source
        yield relation.target
