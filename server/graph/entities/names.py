"""The names of entities: mentions in memories, and matching of words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from server.graph.model import Entity, MemorySubgraph, words_of


@dataclass(frozen=True, slots=True, order=True)
class EntityKey:
    """The identity of an entity."""

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
    of_names = [word for name in (entity.name, *entity.aliases) for word in words_of(name)]
    scores = [max((_score(word, other) for other in of_names), default=0.0) for word in words]
    if not all(scores):
        return 0.0
    return sum(scores) / math.sqrt(len(set(of_names)))


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
