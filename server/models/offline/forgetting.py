"""Requests to forget, such as `forget that I live in Oslo`, and which memories they name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from server.core.words import normalized, words
from server.models.offline.facts import Fact, content_stems
from server.models.offline.lexicon import any_of, stem_set, words_of

_POLITELY = (
    r"(?:(?:please|pls|ok|okay|now|hey|hi|oh|well|also|and|actually|no|wait|sorry|thanks|anyway"
    r"|never\ ?mind|scratch\ that|on\ second\ thoughts?|by\ the\ way|let's|just)[,.!:]*\ "
    r"|(?:can|could|would|will)\ you\ (?:please\ )?|you\ (?:can|should|may)\ "
    r"|i\ (?:want|need)\ you\ to\ |i'd\ like\ you\ to\ |i\ would\ like\ you\ to\ )*"
)
_KNOWN = r"(?:memor(?:y|ies)|records?|know|remember(?:ed)?|stored?|saved|have\ (?:on|about)|facts?)"
_DELETE = r"(?:delete|remove|erase|drop|discard|clear|wipe|purge|scrub|get\ rid\ of)"
_ELSEWHERE = r"(?:from|in|on|at|off|of|to|with|and)\b"
_REQUEST = re.compile(
    rf"""\s*{_POLITELY}(?:
        (?:forget|unlearn)\ (?!it\b[.!]*$|about\ it\b[.!]*$|to\b)(?P<forget>.+)
      | {_DELETE}\ (?P<delete>.*\b(?:{_KNOWN}|about\ me)\b.*)
      | (?:delete|remove|erase|wipe)\ (?P<own>my\ [\w'-]+(?:\ (?!{_ELSEWHERE})[\w'-]+)*)
        (?:,?\ (?:please|thanks|thank\ you))?[\s.!?]*$
      | (?:disregard|ignore|scratch)\ (?P<said>(?:what|everything|anything|all)\ i\ .+)
      | (?:don't|do\ not|never|stop)\ (?:remember(?:ing)?|memori[sz]e|stor(?:e|ing)|sav(?:e|ing)
          |keep(?:ing)?|record(?:ing)?)\ (?P<dont>(?:that|the|about|my|anything|what|where|i)\b.+)
      | (?:{any_of("forget", "languages")}),?\s*(?P<foreign>.+)
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_ASKING = words_of("forget_words")
_EVERYTHING = re.compile(
    r"^(?:everything|all|anything|what|whatever)\b.*\b(?:about me|you know|you remember)[\s.!]*$",
    re.IGNORECASE,
)
_SHORTEST_COMMON = 4
_SAID_OTHERWISE = {
    "lives_in": stem_set("live home city residence move address town"),
    "works_at": stem_set("work job employer company workplace"),
    "works_as": stem_set("job work occupation profession"),
    "named": stem_set("name"),
    "age": stem_set("age old"),
    "weighs": stem_set("weight weigh"),
    "follows_diet": stem_set("diet eat"),
    "allergic_to": stem_set("allergy allergic"),
    "marital_status": stem_set("marriage marital relationship"),
    "has_pet": stem_set("pet"),
    "phone_number": stem_set("phone number"),
    "email": stem_set("email mail address"),
    "born_in": stem_set("birthplace birth"),
}


@dataclass(frozen=True, slots=True)
class ForgetRequest:
    """What a speaker wants forgotten. `is_own` says that it is something about themselves.

    `is_bare` says that nothing is said of memory (`delete my phone number`); that could be about
    something else, and so names only memories that state a relation.
    """

    stems: frozenset[str]
    is_everything: bool
    is_own: bool
    is_bare: bool

    def names(self, text: str, facts: Sequence[Fact], speaker: str) -> bool:
        """Whether the request names a memory: all of its words are found in it."""
        is_about_speaker = normalized(text).startswith((f"{speaker} ", f"{speaker}'s ")) or any(
            fact.subject.owner.name == speaker and speaker in text for fact in facts
        )
        if self.is_own and not is_about_speaker:
            return False
        if self.is_everything:
            return is_about_speaker
        if self.is_bare and not any(fact.relations for fact in facts):
            return False
        known = set(content_stems(text))
        for fact in facts:
            for relation in fact.relations:
                known |= _SAID_OTHERWISE.get(relation.relation, frozenset())
        return bool(self.stems) and all(any(_same(s, k) for k in known) for s in self.stems)


def read_request(sentence: str) -> ForgetRequest | None:
    """The request to forget that the sentence is; None if it is none."""
    match = _REQUEST.match(normalized(sentence))
    if match is None:
        return None
    named = next(group for group in match.groups() if group)
    found = [word.lower() for word in words(named)]
    stems = content_stems(" ".join(word for word in found if word not in _ASKING))
    return ForgetRequest(
        stems,
        is_everything=bool(_EVERYTHING.match(named)),
        is_bare=match["own"] is not None,
        is_own=bool({"i", "my", "me", "i'm", "i've"}.intersection(found)),
    )


def _same(one: str, other: str) -> bool:
    """Whether two stems are of one word: `allergi` and `allerg`."""
    if one == other:
        return True
    shorter, longer = sorted((one, other), key=len)
    is_close = len(longer) - len(shorter) <= 1 and len(shorter) > _SHORTEST_COMMON
    return is_close and longer.startswith(shorter)
