"""The graph's arm of a search: which names a question holds, and what the graph makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log2
from typing import Final
from uuid import UUID

from server.graph.model import StatedRelation, entity_key

MAX_NAME_WORDS: Final = 4
"""How many words of a question can be one name."""

MAX_WORDS: Final = 64
"""How many words of a question are looked at."""

NEAR_SHARE: Final = 0.2
"""What counts of a relation of a named entity itself: its memory is mostly found by that name."""

FAR_SHARE: Final = 0.8
"""What counts of a relation one further on, which no word of the question leads to."""

_DOUBLINGS_TO_HALF: Final = 6.0

_QUOTES: Final = "\"'`\u00ab\u00bb\u2018\u2019\u201c\u201d\u201e"
_EDGES: Final = _QUOTES + ".,;:!?()[]{}<>\u00bf\u00a1\u2026"
_POSSESSIVES: Final = ("'s", "\u2019s")


@dataclass(frozen=True, slots=True)
class Clue:
    """A memory that states a relation to which an entity of the question leads.

    `degree` counts the relations of that entity. `through` counts those of the entity in between
    where the relation is one further on, and is 0 where it is the entity's own.
    """

    memory_id: UUID
    degree: int
    through: int = 0


@dataclass(frozen=True, slots=True)
class Recollection:
    """What relations make of a question.

    `relations` are those of the entities in it, if they were asked for. Without `has_entities` the
    scope has no relations at all.
    """

    clues: Sequence[Clue]
    relations: Sequence[StatedRelation] = ()
    has_entities: bool = True


def names_in(question: str) -> list[str]:
    """The keys of everything in the question that can be a name: one to four words in a row.

    Punctuation around words and possessive endings do not count.
    """
    words = [stripped for word in question.split()[:MAX_WORDS] if (stripped := word.strip(_EDGES))]
    names: dict[str, None] = {}
    for length in range(min(MAX_NAME_WORDS, len(words)), 0, -1):
        for start in range(len(words) - length + 1):
            name = " ".join(words[start : start + length])
            for form in (name, *_without_possessive(name)):
                names.setdefault(entity_key(form))
    return [name for name in names if name]


def _without_possessive(name: str) -> Sequence[str]:
    """The name without its ending, as in Anna's; that of James' is taken for punctuation."""
    return [name[:-2]] if name.casefold().endswith(_POSSESSIVES) else []


def scores_of(clues: Iterable[Clue]) -> dict[UUID, float]:
    """How strongly the graph proposes each memory, from 0 to 1.

    A relation counts by how specific the entity in the question is, and one further on also by how
    specific the entity in between is: what is related to everything says little. Several ways to a
    memory are independent reasons for it.
    """
    missing: dict[UUID, float] = {}
    for clue in clues:
        score = specificity(clue.degree)
        score *= FAR_SHARE * specificity(clue.through) if clue.through else NEAR_SHARE
        missing[clue.memory_id] = missing.get(clue.memory_id, 1.0) * (1.0 - score)
    return {memory_id: 1.0 - rest for memory_id, rest in missing.items()}


def specificity(degree: int) -> float:
    """1 for an entity of one relation, less the more it has; a half for one of 64."""
    return 1.0 / (1.0 + log2(max(degree, 1)) / _DOUBLINGS_TO_HALF)
