"""Matches the names of entities with words that are spelled nearly like theirs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from server.graph.model import Entity, words_of

_EXACT: Final = 8.0
_BEGINNING: Final = 4.0
_NEARLY: Final = 1.0
_SHORTEST_WITH_ONE_EDIT: Final = 3
_SHORTEST_WITH_TWO_EDITS: Final = 6


def match_score(words: Sequence[str], entity: Entity) -> float:
    """Returns how well an entity's names match folded words; 0 if a word matches none of them.

    A word matches exactly, as the beginning of a word, or with one or two different letters, in
    this order of merit. An entity with fewer other words matches better.
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
    """Returns how many letters must be added, removed, replaced or swapped with the next one.

    This is the optimal string alignment distance. Above `most`, any larger number is returned.
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
