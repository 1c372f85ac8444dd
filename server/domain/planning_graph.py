"""Entities and relations that a model names, cleaned for the graph."""

from __future__ import annotations

from collections.abc import Sequence

from server.domain.graph import Entity, Relation, clean_name, entity_key, relation_name
from server.domain.inference import ProposedEntity, ProposedRelation
from server.domain.planning_text import clean_text

MAX_ENTITIES = 50
"""Most entities of one memory."""

MAX_RELATIONS = 50
"""Most relations of one memory."""

_RelationKey = tuple[str, str, str]


def checked_graph(
    entities: Sequence[ProposedEntity], relations: Sequence[ProposedRelation]
) -> tuple[tuple[Entity, ...], tuple[Relation, ...]]:
    """What is usable of the proposals, each once and within the limits.

    The ends of every relation are among the entities; they are spelled and typed as there.
    A relation of something with itself says nothing and is left out.
    """
    named = _named(entities)
    chosen: dict[str, Entity] = {}
    stated: dict[_RelationKey, Relation] = {}
    for proposed in relations:
        relation = _relation(proposed, chosen | named)
        if relation is None or len(stated) == MAX_RELATIONS:
            continue
        widened = chosen | {end.key: end for end in (relation.source, relation.target)}
        if len(widened) <= MAX_ENTITIES:
            chosen = widened
            stated.setdefault(_identity(relation), relation)
    for key, entity in named.items():
        if len(chosen) < MAX_ENTITIES:
            chosen.setdefault(key, entity)
    return tuple(chosen.values()), tuple(stated.values())


def _named(entities: Sequence[ProposedEntity]) -> dict[str, Entity]:
    """The entities by key: the first spelling counts, and the first type that is given."""
    named: dict[str, Entity] = {}
    for proposed in entities:
        entity = Entity(_name(proposed.name), relation_name(clean_text(proposed.type)))
        known = named.get(entity.key)
        if known is not None and not known.type:
            named[entity.key] = Entity(known.name, entity.type)
        elif known is None and entity.key:
            named[entity.key] = entity
    return named


def _relation(proposed: ProposedRelation, known: dict[str, Entity]) -> Relation | None:
    source, target = _name(proposed.source), _name(proposed.target)
    relation = relation_name(clean_text(proposed.relation))
    ends = entity_key(source), entity_key(target)
    if not relation or not all(ends) or ends[0] == ends[1]:
        return None
    return Relation(
        source=known.get(ends[0]) or Entity(source),
        relation=relation,
        target=known.get(ends[1]) or Entity(target),
    )


def _identity(relation: Relation) -> _RelationKey:
    return relation.source.key, relation.relation, relation.target.key


def _name(text: str) -> str:
    return clean_name(clean_text(text))
