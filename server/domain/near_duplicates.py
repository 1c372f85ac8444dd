"""Facts that say the same in almost the same words.

Nearness of vectors alone cannot tell. Measured with the built-in embedder, "bought a car" and
"sold a car" are nearer (cosine .92) than "likes hiking" and "enjoys hiking" (.89), and "prefers tea
over coffee" equals its reverse. Merging two facts loses one of them, keeping one twice does not, so
the wording decides too: both must have

- the same numbers, names and negations, and all the same other words but for articles, a final "s"
  and the "has" of "has moved";
- in the same order, but for phrases of place, time and company: "works at Acme as an engineer" is
  "works as an engineer at Acme", and "Tom loves Ann" is not "Ann loves Tom".

What is told in other words is for the language model to see, which is shown the candidates.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import mul

from server.domain.values import Vector

_WORD = re.compile(r"[\w'+#%.,:/&-]*[\w'+#%]")
_APOSTROPHES = str.maketrans("\u2018\u2019", "''")
_ARTICLES = frozenset({"a", "an", "the"})
# A phrase that begins with one of these can stand elsewhere in the sentence.
_PREPOSITIONS = frozenset({"as", "at", "during", "for", "in", "near", "on", "since", "with"})
_PERFECT = re.compile(r"\b(?:has|have) (?=\w+ed\b)")
_SHORTEST_PLURAL = 4


@dataclass(frozen=True, slots=True)
class StatedFact:
    """A fact's text and its L2-normalised vector."""

    text: str
    vector: Vector


class KnownFacts:
    """Facts that are held or are about to be; `threshold` is the embedder's least cosine."""

    def __init__(self, facts: Iterable[StatedFact], threshold: float) -> None:
        self._threshold = threshold
        self._vectors: dict[object, list[Vector]] = {}
        for fact in facts:
            self.add(fact)

    def add(self, fact: StatedFact) -> None:
        """From now on it is known."""
        self._vectors.setdefault(_wording(fact.text), []).append(fact.vector)

    def has(self, fact: StatedFact) -> bool:
        """Whether a known fact says almost the same."""
        alike = self._vectors.get(_wording(fact.text), [])
        return any(_cosine(vector, fact.vector) >= self._threshold for vector in alike)


def _cosine(one: Vector, other: Vector) -> float:
    total: float = sum(map(mul, one, other))
    return total


def _wording(text: str) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """What two near duplicates have in common: how they begin, and their movable phrases."""
    folded = unicodedata.normalize("NFC", text).translate(_APOSTROPHES).casefold()
    words = [word for word in _WORD.findall(_PERFECT.sub("", folded)) if word not in _ARTICLES]
    phrases: list[list[str]] = [[]]
    for word in map(_without_plural, words):
        if word in _PREPOSITIONS:
            phrases.append([])
        phrases[-1].append(word)
    head, *others = map(tuple, phrases)
    return head, tuple(sorted(others))


def _without_plural(word: str) -> str:
    return word.removesuffix("s") if len(word) >= _SHORTEST_PLURAL else word
