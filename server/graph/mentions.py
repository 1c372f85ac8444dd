"""The entities that a memory mentions, with the names and types under which it does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from server.graph.model import Entity, MemorySubgraph, Relation


@dataclass(frozen=True, slots=True, order=True)
class EntityKey:
    """The identity of an entity in the whole graph; within a project, an `EntityRef` is enough."""

    project_id: str
    space: str
    key: str


@dataclass(frozen=True, slots=True)
class Mention:
    """The mention of an entity in a memory, under this name and type.

    `own_name` is whether the name is the entity's own and not an alias. `aliases` are all aliases
    of the entity.
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
        """The rank of the mention: the mention with the lowest rank gives its entity name and type.

        Mentions by its own name come first, then mentions with a type, then by memory id, that is
        by age. So the name does not depend on the order in which memories are projected.
        """
        return f"{0 if self.own_name else 1}{0 if self.type else 1}:{self.memory_id}"


def mentions_of(subgraph: MemorySubgraph) -> list[Mention]:
    """Returns one mention for each entity that the memory names, even if only in a relation."""
    if not subgraph.exists:
        return []
    mentions: dict[EntityKey, Mention] = {}
    # Relations name entities again, mostly in the same way.
    for entity in dict.fromkeys(_entities(subgraph)):
        mention = _mention(subgraph, entity)
        first = mentions.get(mention.entity)
        mentions[mention.entity] = mention if first is None else _of_both(first, mention)
    return list(mentions.values())


def relations_in(subgraph: MemorySubgraph) -> Iterator[tuple[Relation, EntityKey, EntityKey]]:
    """Yields the memory's relations, each with the keys of its source and its target.

    A relation between two names that were joined, so that both ends are one entity, is left out.
    """
    for relation in subgraph.relations:
        source = entity_key_in(subgraph, relation.source)
        target = entity_key_in(subgraph, relation.target)
        if source != target or relation.source.key == relation.target.key:
            yield relation, source, target


def naming_mentions(mentions: Iterable[Mention]) -> dict[EntityKey, Mention]:
    """Returns the mention with the lowest rank for each entity."""
    by_falling_rank = sorted(mentions, key=lambda mention: mention.rank, reverse=True)
    return {mention.entity: mention for mention in by_falling_rank}


def entity_key_in(subgraph: MemorySubgraph, entity: Entity) -> EntityKey:
    """Returns the key of the entity to which a name in the memory belongs."""
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
    """Merges two mentions of an entity: its own name takes precedence, then the first type."""
    named = second if second.own_name and not first.own_name else first
    return replace(named, type=first.type or second.type)


def _entities(subgraph: MemorySubgraph) -> Iterable[Entity]:
    yield from subgraph.entities
    for relation in subgraph.relations:
        yield relation.source
        yield relation.target
