"""Reads requests such as `forget that I live in Oslo`, and finds what they are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.core.text import normalized, words
from server.models.offline import lexicon
from server.models.offline.facts import Fact
from server.models.offline.people import content_stems

_REQUEST, _EVERYTHING = lexicon.pattern("forget_request"), lexicon.pattern("everything")
_SAYS_NOTHING = lexicon.FUNCTION_WORDS | lexicon.listed("asking")
_SYNONYMS = {name: lexicon.stems(found) for name, found in lexicon.lists("synonyms").items()}
_SHORTEST_COMMON = 4


@dataclass(frozen=True, slots=True)
class ForgetRequest:
    """A request to forget something. `is_own` is whether it concerns the speaker.

    `is_bare` is whether the request does not mention memory (`delete my phone number`); as it could
    be about something else, it only matches memories that state a relation.
    """

    stems: frozenset[str]
    is_everything: bool
    is_own: bool
    is_bare: bool

    def names(self, text: str, facts: Sequence[Fact], speaker: str) -> bool:
        """Whether the request matches a memory, which contains all of its words."""
        is_about_speaker = normalized(text).startswith((f"{speaker} ", f"{speaker}'s ")) or any(
            fact.subject.owner.name == speaker and speaker in text for fact in facts
        )
        if self.is_own and not is_about_speaker:
            return False
        if self.is_everything:
            return is_about_speaker
        relations = {relation.relation for fact in facts for relation in fact.relations}
        is_subject = any(self.stems <= fact.subject.stems for fact in facts)
        if self.is_bare and not (relations or is_subject):
            return False
        known = content_stems(f"{text} {' '.join(relations)}".replace("_", " "))
        known = known.union(*(_SYNONYMS.get(each, ()) for each in {*relations, *words(text)}))
        return bool(self.stems) and all(any(_same(s, k) for k in known) for s in self.stems)


def read_request(sentence: str) -> ForgetRequest | None:
    """Returns the request to forget in the sentence; None if it is no such request."""
    match = _REQUEST.match(normalized(sentence))
    if match is None:
        return None
    named = next(group for group in match.groups() if group)
    found = [word.lower() for word in words(named)]
    about = [word for word in found if word not in _SAYS_NOTHING]
    return ForgetRequest(
        content_stems(" ".join(about)),
        is_everything=bool(_EVERYTHING.match(named)),
        is_bare=match["own"] is not None,
        is_own=bool({"i", "my", "me", "i'm", "i've"}.intersection(found)),
    )


def _same(one: str, other: str) -> bool:
    """Whether two stems belong to one word: `allergi` and `allerg`."""
    shorter, longer = sorted((one, other), key=len)
    is_close = len(longer) - len(shorter) <= 1 and len(shorter) > _SHORTEST_COMMON
    return one == other or (is_close and longer.startswith(shorter))
