"""Keeps one memory for each fact: handles proposals that repeat, conflict or add nothing new.

The similarity of vectors alone cannot decide this. Measured with the built-in embedder, "bought a
car" and "sold a car" are more similar (cosine .92) than "likes hiking" and "enjoys hiking" (.89),
and "prefers tea over coffee" equals its reverse. Merging two different facts loses one of them,
while keeping a fact twice loses nothing. So the wording must agree too. Both texts must have

- the same numbers, names, negations and other words, except for articles, a final "s" and the "has"
  of "has moved";
- the same word order, except for phrases of place, time and company: "works at Acme as an engineer"
  equals "works as an engineer at Acme", but "Tom loves Ann" does not equal "Ann loves Tom".

Repetitions in other words are left to the language model, which sees the candidates.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import mul
from uuid import UUID

from server.memories.add.inference import Candidate
from server.memories.add.proposals import (
    AddFact,
    DeleteFact,
    PlannedOperation,
    Proposal,
    UpdateFact,
)
from server.memories.add.screening import Screened
from server.memories.memory import fact_digest


def merge_repeats(screened: Sequence[Screened]) -> list[Screened]:
    """Merges equal proposals into one, in the place of the first.

    Two ADDs of one fact are equal, and so are two changes of one candidate with the same result.
    """
    merged: dict[tuple[UUID | None, bytes], Screened] = {}
    for item in screened:
        proposal = item.proposal
        candidate = proposal.candidate.id if proposal.candidate else None
        key = (candidate, fact_digest(proposal.text) if proposal.text else b"")
        merged[key] = _merged(merged[key], item) if key in merged else item
    return list(merged.values())


def conflicts(proposals: Sequence[Proposal]) -> list[str]:
    """Returns a problem for each candidate that more than one proposal would change."""
    numbers: dict[UUID, list[str]] = {}
    for proposal in proposals:
        if proposal.candidate is not None:
            numbers.setdefault(proposal.candidate.id, []).append(str(proposal.number))
    return [
        f"operations {', '.join(several)} change the same candidate"
        for several in numbers.values()
        if len(several) > 1
    ]


def settle(
    operations: Sequence[PlannedOperation], candidates: Sequence[Candidate]
) -> list[PlannedOperation | None]:
    """Returns what remains of each operation, so that every fact is held once; None if nothing.

    - A fact that the answer also states is not deleted.
    - A fact that a candidate holds is not added again.
    - An UPDATE to a fact that another memory holds or receives becomes a DELETE of its candidate.
      But if that other memory is itself updated, the two operations contradict each other, and the
      candidate is left alone.
    """
    facts = _Facts(operations, candidates)
    settled: list[PlannedOperation | None] = [None] * len(operations)
    for index, operation in enumerate(operations):
        if not isinstance(operation, AddFact):
            settled[index] = facts.settle_change(operation)
    for index, operation in enumerate(operations):
        if isinstance(operation, AddFact):
            settled[index] = facts.settle_addition(operation)
    return settled


class _Facts:
    """Tracks the facts that are held, stated and taken, by their digests."""

    def __init__(
        self, operations: Sequence[PlannedOperation], candidates: Sequence[Candidate]
    ) -> None:
        self._holders: dict[bytes, set[UUID]] = {}
        for candidate in candidates:
            self._holders.setdefault(fact_digest(candidate.text), set()).add(candidate.id)
        self._stated = {fact_digest(o.text) for o in operations if not isinstance(o, DeleteFact)}
        self._updated = {
            o.candidate.id for o in operations if isinstance(o, UpdateFact) and not _idle(o)
        }
        self._taken: set[bytes] = set()

    def settle_change(self, operation: UpdateFact | DeleteFact) -> PlannedOperation | None:
        if isinstance(operation, DeleteFact):
            return self._settle_deletion(operation)
        if _idle(operation):
            return None
        digest = fact_digest(operation.text)
        holders = self._holders.get(digest, set())
        if digest in self._taken or holders - self._updated:
            return self._settle_deletion(
                DeleteFact(operation.candidate, operation.message_index, operation.quote)
            )
        if holders:
            return None
        self._taken.add(digest)
        return operation

    def _settle_deletion(self, operation: DeleteFact) -> DeleteFact | None:
        restated = fact_digest(operation.candidate.text) in self._stated
        return None if restated else operation

    def settle_addition(self, operation: AddFact) -> AddFact | None:
        digest = fact_digest(operation.text)
        if digest in self._taken or digest in self._holders:
            return None
        self._taken.add(digest)
        return operation


def _idle(operation: UpdateFact) -> bool:
    return fact_digest(operation.text) == fact_digest(operation.candidate.text)


def _merged(first: Screened, second: Screened) -> Screened:
    one, other = first.proposal.operation, second.proposal.operation
    both = replace(
        one,
        entities=[*one.entities, *other.entities],
        relations=[*one.relations, *other.relations],
    )
    return replace(
        first,
        proposal=replace(first.proposal, operation=both),
        categories=tuple(dict.fromkeys((*first.categories, *second.categories))),
    )


_WORD = re.compile(r"[\w'+#%.,:/&-]*[\w'+#%]")
_APOSTROPHES = str.maketrans("\u2018\u2019", "''")
_ARTICLES = frozenset({"a", "an", "the"})
# A phrase that begins with one of these can move within the sentence.
_PREPOSITIONS = frozenset({"as", "at", "during", "for", "in", "near", "on", "since", "with"})
_PERFECT = re.compile(r"\b(?:has|have) (?=\w+ed\b)")
_SHORTEST_PLURAL = 4


@dataclass(frozen=True, slots=True)
class StatedFact:
    """A fact's text and its L2-normalised vector."""

    text: str
    vector: Sequence[float]


class KnownFacts:
    """Facts that are held or will be held; `threshold` is the embedder's minimum cosine."""

    def __init__(self, facts: Iterable[StatedFact], threshold: float) -> None:
        self._threshold = threshold
        self._vectors: dict[object, list[Sequence[float]]] = {}
        for fact in facts:
            self.add(fact)

    def add(self, fact: StatedFact) -> None:
        """Adds a fact to the known ones."""
        self._vectors.setdefault(_wording(fact.text), []).append(fact.vector)

    def has(self, fact: StatedFact) -> bool:
        """Whether a known fact is almost the same."""
        alike = self._vectors.get(_wording(fact.text), [])
        return any(_cosine(vector, fact.vector) >= self._threshold for vector in alike)


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    total: float = sum(map(mul, one, other))
    return total


# The candidates of an add are mostly the same as those of the previous add.
@lru_cache(maxsize=8_192)
def _wording(text: str) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Returns the parts that near duplicates share: their beginning and their movable phrases."""
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
