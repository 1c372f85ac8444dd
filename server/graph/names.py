"""The names of entities: matching of words, aliases that memories state, and splits.

A split says that of two names in a graph space neither is an alias of the other. The memories
themselves stay unchanged and are only interpreted differently, so a split can be undone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from server.graph.model import Entity, Relation, clean_name, entity_key, words_of
from server.memories.add.entity_resolution import contains_name

_EXACT: Final = 8.0
_BEGINNING: Final = 4.0
_NEARLY: Final = 1.0
_SHORTEST_WITH_ONE_EDIT: Final = 3
_SHORTEST_WITH_TWO_EDITS: Final = 6


def match_score(words: Sequence[str], entity: Entity) -> float:
    """Returns how well an entity's names match folded words; 0 if a word matches none of them.

    From best to worst, a word matches exactly, as the beginning of a word, or with one or two
    different letters. An entity with fewer other words matches better.
    """
    name_words = [word for name in (entity.name, *entity.aliases) for word in words_of(name)]
    scores = [max((_score(word, other) for other in name_words), default=0.0) for word in words]
    if not all(scores):
        return 0.0
    return sum(scores) / math.sqrt(len(set(name_words)))


def _score(word: str, other: str) -> float:
    if word == other:
        return _EXACT
    if other.startswith(word):
        return _BEGINNING
    allowed = (len(word) >= _SHORTEST_WITH_ONE_EDIT) + (len(word) >= _SHORTEST_WITH_TWO_EDITS)
    return _NEARLY if allowed and _edits(word, other, allowed) <= allowed else 0.0


def _edits(one: str, other: str, most: int) -> int:
    """Returns the optimal string alignment distance of two words.

    It counts letters to add, remove, replace or swap with the next. Distances above `most` are not
    exact.
    """
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        current = [row]
        for column, its_letter in enumerate(other, 1):
            cost = min(
                last[column] + 1,
                current[-1] + 1,
                last[column - 1] + (letter != its_letter),
            )
            swapped = column > 1 and letter == other[column - 2] and one[row - 2] == its_letter
            if before and swapped:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        if min(current) > most:
            return most + 1
        before, last = last, current
    return last[-1]


MAX_ALIASES = 32
"""The maximum number of aliases of an entity that are shown."""


@dataclass(frozen=True, slots=True, order=True)
class StatedAlias:
    """A statement of a memory that `alias` is another name of the entity `name`."""

    memory_id: str
    name: str
    alias: str


class Joins:
    """Maps the names of a graph space to entities, by the aliases that its memories state.

    An alias of two entities is ambiguous and joins neither. The result depends only on the stated
    aliases, not on their order. Once no memory states an alias any more, the names are separate
    again.
    """

    def __init__(self, stated: Iterable[StatedAlias]) -> None:
        ordered = sorted(stated)
        entities: dict[str, set[str]] = {}
        for each in ordered:
            alias, entity = entity_key(each.alias), entity_key(each.name)
            if alias and entity and alias != entity:
                entities.setdefault(alias, set()).add(entity)
        self._next = {
            alias: next(iter(found)) for alias, found in entities.items() if len(found) == 1
        }
        self.resolved: Mapping[str, str] = {alias: self._follow(alias) for alias in self._next}
        self.aliases: Mapping[str, tuple[str, ...]] = self._names(ordered)

    def key(self, key: str) -> str:
        """Returns the key of the entity to which a name with this key belongs."""
        return self.resolved.get(key, key)

    def changed(self, other: Joins) -> frozenset[str]:
        """Returns the keys whose memories the graph represents differently with the other joins."""
        names = self.resolved.keys() | other.resolved.keys()
        moved = {key for key in names if self.key(key) != other.key(key)}
        shown = self.aliases.keys() | other.aliases.keys()
        renamed = {key for key in shown if self.aliases.get(key) != other.aliases.get(key)}
        followers = {key for key in names if self.key(key) in renamed or other.key(key) in renamed}
        return frozenset(moved | renamed | followers)

    def _follow(self, alias: str) -> str:
        """Returns the end of the chain of names; for a cycle, the smallest name in it."""
        seen: dict[str, int] = {}
        key = alias
        while key in self._next:
            if key in seen:
                circle = [name for name, place in seen.items() if place >= seen[key]]
                return min(circle)
            seen[key] = len(seen)
            key = self._next[key]
        return key

    def _names(self, ordered: Iterable[StatedAlias]) -> dict[str, tuple[str, ...]]:
        """Returns the other names of each entity, in their oldest spelling."""
        names: dict[str, dict[str, str]] = {}
        for each in ordered:
            for name in (each.name, each.alias):
                key = entity_key(name)
                entity = self.key(key)
                if key != entity:
                    names.setdefault(entity, {}).setdefault(key, clean_name(name))
        return {
            entity: tuple(spelling for _, spelling in sorted(found.items()))[:MAX_ALIASES]
            for entity, found in names.items()
        }


Pair = frozenset[str]
"""The keys of two names, without an order."""


@dataclass(frozen=True, slots=True)
class Split:
    """Two names of a graph space that belong to different entities since `create_time`."""

    space: str
    name: str
    other_name: str
    create_time: datetime

    @property
    def pair(self) -> Pair:
        """The two names, regardless of order and spelling."""
        return pair_of(self.name, self.other_name)


def pair_of(name: str, other_name: str) -> Pair:
    """Returns the two names regardless of order and spelling."""
    return frozenset((entity_key(name), entity_key(other_name)))


def with_splits(
    entities: Sequence[Entity], relations: Sequence[Relation], text: str, splits: Set[Pair]
) -> tuple[tuple[Entity, ...], tuple[Relation, ...]]:
    """Returns a memory's entities and relations after applying the splits.

    An entity loses the aliases that are split from its name. If the text contains such an alias but
    not the name, the entity had the name only because of the join, so the alias becomes its name.
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
    """Returns the name that the memory itself uses for the entity."""
    if contains_name(entity.name, text):
        return entity.name
    foreign = (alias for alias in entity.aliases if pair_of(entity.name, alias) in splits)
    return next((alias for alias in foreign if contains_name(alias, text)), entity.name)


def _without_foreign(entity: Entity, name: str, splits: Set[Pair]) -> Entity:
    """Returns the entity with that name and without aliases that are split from either name."""
    split = {alias for alias in entity.aliases if pair_of(entity.name, alias) in splits}
    kept = (a for a in entity.aliases if a not in split and pair_of(name, a) not in splits)
    return Entity(name, entity.type, tuple(kept))
