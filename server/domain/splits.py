"""Names that are not one entity though a memory says so: joins that were undone.

A split says of two names of a graph space that neither is an alias of the other. What memories say
is left as it is; they are read differently, so that a split can be taken back.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime

from server.domain.entity_resolution import is_said
from server.domain.graph import Entity, Relation, entity_key

Pair = frozenset[str]
"""The keys of two names."""


@dataclass(frozen=True, slots=True)
class Split:
    """Two names of a graph space that stand for two entities, since `create_time`."""

    space: str
    name: str
    other_name: str
    create_time: datetime

    @property
    def pair(self) -> Pair:
        """Its names without their order and spelling."""
        return pair_of(self.name, self.other_name)


def pair_of(name: str, other_name: str) -> Pair:
    """The names without their order and spelling."""
    return frozenset((entity_key(name), entity_key(other_name)))


def apart(
    entities: Sequence[Entity], relations: Sequence[Relation], text: str, splits: Set[Pair]
) -> tuple[tuple[Entity, ...], tuple[Relation, ...]]:
    """What a memory of this text mentions and states, its names apart that are split.

    An entity loses the aliases that are split from its name. Where the text says such an alias and
    not the name, it was called by the name only because of the join, and is called by the alias.
    """
    if not splits:
        return tuple(entities), tuple(relations)
    called = {each.key: _own_name(each, text, splits) for each in reversed(entities)}

    def end(entity: Entity) -> Entity:
        return replace(entity, name=called.get(entity.key, entity.name))

    return (
        tuple(_without_foreign(each, called[each.key], splits) for each in entities),
        tuple(replace(r, source=end(r.source), target=end(r.target)) for r in relations),
    )


def _own_name(entity: Entity, text: str, splits: Set[Pair]) -> str:
    """What the memory itself calls the entity."""
    if is_said(entity.name, text):
        return entity.name
    foreign = (alias for alias in entity.aliases if pair_of(entity.name, alias) in splits)
    return next((alias for alias in foreign if is_said(alias, text)), entity.name)


def _without_foreign(entity: Entity, name: str, splits: Set[Pair]) -> Entity:
    """The entity by that name, and those of its other names that neither is split from."""
    split = {alias for alias in entity.aliases if pair_of(entity.name, alias) in splits}
    kept = (a for a in entity.aliases if a not in split and pair_of(name, a) not in splits)
    return Entity(name, entity.type, tuple(kept))
