"""A fact, and what there is to know about it for comparing it with others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from server.adapters.offline.relations import Ended, Findings, find_relations
from server.adapters.offline.rewriting import Speaker, rewritten
from server.adapters.offline.words import content_stems, plain, word_set, words
from server.domain.memory import fact_digest

RelationKey = tuple[str, str, str]
"""Source, relation and target, folded for comparison."""

_FILLERS = word_set("a an the really very also just still currently now so too actually already")
_ENDING = re.compile(
    r"\b(?:no longer|stopped|quit|gave up|any ?more|any longer|used to|"
    r"(?:do|does|is|am|are|has) not|doesn't|don't|isn't)\b",
    re.IGNORECASE,
)
_ENDING_WORDS = word_set(
    "no longer stopped quit gave up anymore any more used not doesn't don't isn't has have"
)


@dataclass(frozen=True)
class Fact:
    """A text in the third person and what it says of whom."""

    text: str
    findings: Findings

    @cached_property
    def digest(self) -> bytes:
        """What makes two facts the same to the letter."""
        return fact_digest(self.text)

    @cached_property
    def stems(self) -> tuple[str, ...]:
        """The stems of its words that carry meaning."""
        return content_stems(self.text)

    @cached_property
    def gist(self) -> tuple[str, ...]:
        """Its words, but for articles and the adverbs that change nothing."""
        lowered = (word.lower() for word in words(self.text))
        return tuple(word for word in lowered if word not in _FILLERS)

    @cached_property
    def stated(self) -> frozenset[RelationKey]:
        """The relations that it states."""
        return frozenset(
            (relation.source.key, relation.relation, relation.target.key)
            for relation in self.findings.stated
        )

    @cached_property
    def negates(self) -> tuple[str, ...]:
        """The stems of what it says is over; none if it does not say that."""
        if not _ENDING.search(self.text):
            return ()
        return content_stems(self.text, without=_ENDING_WORDS)

    def ends(self, key: RelationKey) -> bool:
        """Whether it says that the relation holds no longer."""
        return any(_matches(ended, key) for ended in self.findings.ended)


def fact_from_memory(text: str, speaker: Speaker) -> Fact:
    """The fact that a stored text states; a text in the first person counts as the speaker's."""
    third = rewritten(text, speaker) or plain(text)
    return Fact(third, find_relations(third, speaker))


def _matches(ended: Ended, key: RelationKey) -> bool:
    source, relation, target = key
    return (ended.source.key, ended.relation) == (source, relation) and (
        ended.target is None or ended.target.key == target
    )
