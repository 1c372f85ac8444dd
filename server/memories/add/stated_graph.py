"""Cleans the entities and relations that a model names, for the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from server.graph.model import Entity, Relation, clean_name, entity_key, relation_name
from server.memories.add.entity_resolution import EntityResolver, KnownEntities
from server.memories.add.inference import ProposedEntity, ProposedRelation
from server.memories.add.quotes import clean_text

MAX_ENTITIES = 50
"""The most entities of one memory."""

MAX_RELATIONS = 50
"""The most relations of one memory."""


def checked_graph(
    entities: Sequence[ProposedEntity],
    relations: Sequence[ProposedRelation],
    resolver: EntityResolver | None = None,
) -> tuple[tuple[Entity, ...], tuple[Relation, ...]]:
    """Returns the usable entities and relations, each once and within the limits.

    Both ends of every relation are among the entities, with the same spelling and type. A relation
    of an entity with itself says nothing and is left out.
    """
    named = _named(entities, resolver or EntityResolver(KnownEntities(), ""))
    chosen: dict[str, Entity] = {}
    stated: dict[tuple[str, str, str], Relation] = {}
    for proposed in relations:
        relation = _relation(proposed, chosen, named)
        if relation is None or len(stated) == MAX_RELATIONS:
            continue
        widened = chosen | {
            end.key: named.get(end.key, end) for end in (relation.source, relation.target)
        }
        if len(widened) <= MAX_ENTITIES:
            chosen = widened
            stated.setdefault(relation.identity, relation)
    for entity in named.values():
        if len(chosen) < MAX_ENTITIES:
            chosen.setdefault(entity.key, entity)
    return tuple(chosen.values()), tuple(stated.values())


def _named(entities: Sequence[ProposedEntity], resolver: EntityResolver) -> dict[str, Entity]:
    """Returns the entities by their own keys and by the keys of the names used for them here.

    The first spelling wins, and the first type given.
    """
    named: dict[str, Entity] = {}
    for proposed in entities:
        entity = resolver.resolve(proposed)
        called = entity_key(_name(proposed.name))
        if not called:
            continue
        known = named.get(entity.key, named.get(called))
        if known is not None:
            aliases = tuple(dict.fromkeys((*known.aliases, *entity.aliases)))
            entity = Entity(known.name, known.type or entity.type, aliases)
        named[entity.key] = named[called] = entity
    return named


def _relation(
    proposed: ProposedRelation, chosen: Mapping[str, Entity], named: Mapping[str, Entity]
) -> Relation | None:
    relation = relation_name(clean_text(proposed.relation))
    source, target = (
        _end(_name(name), chosen, named) for name in (proposed.source, proposed.target)
    )
    if not (relation and source.key and target.key) or source.key == target.key:
        return None
    return Relation(source, relation, target)


def _end(name: str, chosen: Mapping[str, Entity], named: Mapping[str, Entity]) -> Entity:
    key = entity_key(name)
    found = named.get(key) or chosen.get(key) or Entity(name)
    return Entity(found.name, found.type)


def _name(text: str) -> str:
    return clean_name(clean_text(text))
