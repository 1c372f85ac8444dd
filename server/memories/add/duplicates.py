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
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from operator import mul
from uuid import UUID

from server.memories.add.inference import Candidate
from server.memories.add.proposals import Proposal
from server.memories.add.screening import Screened
from server.memories.changes import Addition, Change, Deletion, Update
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


def settle(changes: Sequence[Change], candidates: Sequence[Candidate]) -> list[Change | None]:
    """Returns what remains of each change, so that every fact is held once; None if nothing.

    - A fact that the answer also states is not deleted.
    - A fact that a candidate holds is not added again.
    - An update to a fact that another memory holds or receives becomes a deletion. But if that
      other memory is itself updated, the two changes contradict each other, and the memory is left
      alone.
    """
    facts = _Facts(changes, candidates)
    settled: list[Change | None] = [None] * len(changes)
    for index, change in enumerate(changes):
        if not isinstance(change, Addition):
            settled[index] = facts.settle_change(change)
    for index, change in enumerate(changes):
        if isinstance(change, Addition):
            settled[index] = facts.settle_addition(change)
    return settled


class _Facts:
    """Tracks the facts that are held, stated and taken, by their digests."""

    def __init__(self, changes: Sequence[Change], candidates: Sequence[Candidate]) -> None:
        self._held = {candidate.id: fact_digest(candidate.text) for candidate in candidates}
        self._holders: dict[bytes, set[UUID]] = {}
        for memory_id, digest in self._held.items():
            self._holders.setdefault(digest, set()).add(memory_id)
        self._stated = {change.digest for change in changes if not isinstance(change, Deletion)}
        self._updated = {
            change.memory_id
            for change in changes
            if isinstance(change, Update) and not self._changes_nothing(change)
        }
        self._taken: set[bytes] = set()

    def settle_change(self, change: Update | Deletion) -> Change | None:
        if isinstance(change, Deletion):
            return self._settle_deletion(change)
        if self._changes_nothing(change):
            return None
        holders = self._holders.get(change.digest, set())
        if change.digest in self._taken or holders - self._updated:
            return self._settle_deletion(Deletion(change.memory_id, change.version))
        if holders:
            return None
        self._taken.add(change.digest)
        return change

    def _changes_nothing(self, update: Update) -> bool:
        return update.digest == self._held[update.memory_id]

    def _settle_deletion(self, deletion: Deletion) -> Deletion | None:
        return None if self._held[deletion.memory_id] in self._stated else deletion

    def settle_addition(self, addition: Addition) -> Addition | None:
        if addition.digest in self._taken or addition.digest in self._holders:
            return None
        self._taken.add(addition.digest)
        return addition


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


def without_near_duplicates(
    changes: Sequence[Change], candidates: Sequence[Candidate], threshold: float
) -> list[Change]:
    """Returns the changes without additions that nearly repeat a known fact.

    All texts are embedded. Known facts are candidates that stay unchanged, new texts of updated
    candidates, and earlier additions.
    """
    changed = {change.memory_id for change in changes if not isinstance(change, Addition)}
    known = KnownFacts(threshold)
    for candidate in candidates:
        if candidate.id not in changed:
            known.add(candidate.text, candidate.vector)
    for change in changes:
        if isinstance(change, Update):
            known.add(change.text, change.embedding)
    kept: list[Change] = []
    for change in changes:
        if isinstance(change, Addition):
            if known.has(change.text, change.embedding):
                continue
            known.add(change.text, change.embedding)
        kept.append(change)
    return kept


class KnownFacts:
    """Facts that are held or will be held, with L2-normalised vectors.

    `threshold` is the embedder's minimum cosine of near duplicates.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._vectors: dict[object, list[Sequence[float]]] = {}

    def add(self, text: str, vector: Sequence[float]) -> None:
        """Adds a fact to the known ones."""
        self._vectors.setdefault(_wording(text), []).append(vector)

    def has(self, text: str, vector: Sequence[float]) -> bool:
        """Whether a known fact is almost the same."""
        alike = self._vectors.get(_wording(text), [])
        return any(_cosine(known, vector) >= self._threshold for known in alike)


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
