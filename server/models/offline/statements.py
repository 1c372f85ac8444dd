"""What a clause asserts: of whom, by which verb, whether it is denied, and what is only imagined.

A clause states a fact if its subject is the speaker, somebody of theirs or somebody named, and its
verb is in the indicative. What follows a verb of saying, thinking, asking, doubting, pretending or
wishing, a condition, or a word such as `maybe` is not asserted. In doubt a clause states nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise

from server.models.offline.clauses import Clause, Token, main_subject, subject_end
from server.models.offline.lexicon import (
    ADVERBS,
    CONDITIONAL,
    DETERMINERS,
    EMBEDDING,
    LIMITING,
    MODALS,
    NEGATED,
    NEVER_FACTS,
    QUESTION_WORDS,
    REASON_OR_TIME,
    STOPPING,
    UNREAL,
    VERBS,
    is_past,
    verb_stem,
    word_set,
)


class Who(Enum):
    """What kind of subject a clause has."""

    SPEAKER = auto()
    GROUP = auto()
    """The speaker and others: `we`, `my wife and I`."""

    OWNED = auto()
    """Somebody or something of the speaker's: `my sister Ana`."""

    NAMED = auto()
    PRONOUN = auto()
    THING = auto()
    """Something else: `the wedding`."""


@dataclass(frozen=True, slots=True)
class Statement:
    """An asserted clause, taken apart.

    `subject` and `verb` are places among the tokens; `stem` is what all forms of the verb have in
    common. What follows the verb is `rest`. `is_over` says that it holds no longer (`no longer`,
    `any more`, `used to`, `stopped`); `is_planned` that it is only intended; `is_ability` that it
    is about what one can do; `is_limited` that it is said of some occasions, or of one thing beside
    others.
    """

    tokens: tuple[Token, ...]
    who: Who
    subject: tuple[int, int]
    verb: int
    stem: str
    rest: tuple[Token, ...]
    is_denied: bool
    is_over: bool
    is_planned: bool
    is_past: bool
    is_limited: bool
    is_ability: bool

    @property
    def fronted(self) -> tuple[Token, ...]:
        """The words before the subject."""
        return self.tokens[: self.subject[0]]

    @property
    def subject_tokens(self) -> tuple[Token, ...]:
        """The words of the subject."""
        return self.tokens[self.subject[0] : self.subject[1]]


_BE = word_set("am is are was were be been")
_HAVE = word_set("have has had")
_HELPING = _BE | _HAVE | word_set("do does did")
_PAST_HELP = word_set("did didn't was were wasn't weren't")
_CLAUSE_PRONOUNS = word_set("i we he she they")
_SAID_TO_BE = word_set(
    "said supposed thought believed rumored rumoured alleged assumed reported considered meant told"
)
_CONVICTIONS = word_set("sure convinced certain afraid aware worried positive confident told")
_INDIRECT = word_set("me him her us them you people everyone everybody")
_FICTION = word_set(
    "dream dreams novel story game book movie film script fantasy roleplay nightmare life"
)
_OVER = frozenset({("any", "more"), ("any", "longer")})
_WISHES = word_set("like love prefer rather")
_NO_GERUNDS = word_set("king nothing something anything everything morning evening spring sibling")
_UNDER_WAY = word_set(
    "moving going getting starting leaving planning relocating switching becoming"
)
"""What is said in the progressive form of what is still to come."""


def read_statement(clause: Clause) -> Statement | None:
    """What the clause asserts; None if that is nothing, or is not certain."""
    tokens = _trimmed(clause.tokens)
    found = main_subject(tokens)
    if found is None:
        return None
    begin, end = found
    who = _who(tokens[begin:end])
    if who is None or not _is_real_setting(tokens[:begin]):
        return None
    group = _VerbGroup(tokens, end)
    if not group.read():
        return None
    rest = tokens[group.place :]
    if _is_embedding(group.stem, rest):
        return None
    words = [token.lower for token in rest]
    return Statement(
        tokens=tokens,
        who=who,
        subject=(begin, end),
        verb=group.verb,
        stem=group.stem,
        rest=rest,
        is_denied=group.is_denied,
        is_over=group.is_over or _is_over(words),
        is_planned=group.is_planned,
        is_past=group.is_past,
        is_limited=group.is_limited,
        is_ability=group.is_ability,
    )


class _VerbGroup:
    """Reads from the subject to what the main verb says: auxiliaries, negations, adverbs."""

    def __init__(self, tokens: Sequence[Token], place: int) -> None:
        self._tokens = tokens
        self.place = self.verb = place
        self.is_denied = self.is_over = self.is_planned = False
        self.is_past = self.is_limited = self.is_ability = False
        self._is_indicative = True

    def read(self) -> bool:
        """Whether there is a verb, in the indicative."""
        while self._is_adverb() or self._is_auxiliary():
            self.place += 1
        if self.place >= len(self._tokens) or not self._tokens[self.place].is_word:
            return False
        self.verb = self.place
        word = self._word(0)
        self.is_denied |= word in NEGATED
        self.is_past |= is_past(NEGATED.get(word, word)) or word in {"was", "were"}
        self.place += 1
        if NEGATED.get(word, word) in _BE:
            while self._is_adverb():
                self.place += 1
        return self._is_indicative

    @property
    def stem(self) -> str:
        """The stem of the main verb."""
        word = self._tokens[self.verb].lower
        return verb_stem(NEGATED.get(word, word))

    def _word(self, distance: int) -> str:
        place = self.place + distance
        return self._tokens[place].lower if place < len(self._tokens) else ""

    def _is_adverb(self) -> bool:
        word = self._word(0)
        if word in UNREAL:
            self._is_indicative = False
        elif word in {"not", "never"}:
            self.is_denied = True
        elif word == "no":
            if self._word(1) != "longer":
                return False
            self.is_denied = self.is_over = True
        elif word not in ADVERBS or (word == "long" and self._word(-1) != "no"):
            return False
        self.is_limited |= word in LIMITING
        return True

    def _is_auxiliary(self) -> bool:
        """Whether the word helps the verb that follows it."""
        word = self._word(0)
        base = NEGATED.get(word, word)
        following = self._following()
        if base in MODALS or base == "will":
            self._is_indicative &= base in {"can", "will"} or following in _WISHES
            self.is_planned |= base in {"would", "will"}
            self.is_ability |= base == "can"
        elif base in _HELPING:
            if not self._helps(word, base, following):
                return False
            self.is_past |= word in _PAST_HELP
        elif word == "used" and self._word(1) == "to":
            self.is_over = True
            self.place += 1
        elif verb_stem(word) in STOPPING and following.endswith("ing"):
            self.is_over = self.is_denied = True
        else:
            return False
        self.is_denied |= word in NEGATED
        return True

    def _helps(self, word: str, base: str, following: str) -> bool:
        """Whether a form of do, have or be helps the verb that follows."""
        if base in _BE:
            return self._is_progressive(following)
        if base in _HAVE:
            return is_past(following) or following in {"been", "become"}
        return word != base or following in VERBS

    def _is_progressive(self, following: str) -> bool:
        """Whether a verb in -ing follows; of `going to` before a verb, only that verb counts."""
        if not following.endswith("ing") or following in _NO_GERUNDS:
            return False
        self.is_planned |= following in _UNDER_WAY
        if following == "going" and self._word(2) == "to" and self._is_plain(3):
            self.place += 2
        return True

    def _is_plain(self, distance: int) -> bool:
        place = self.place + distance
        if place >= len(self._tokens):
            return False
        token = self._tokens[place]
        return not token.is_name and token.lower not in DETERMINERS

    def _following(self) -> str:
        distance = 1
        while self._word(distance) in ADVERBS:
            distance += 1
        return self._word(distance)


def _trimmed(tokens: Sequence[Token]) -> tuple[Token, ...]:
    """The tokens without punctuation at their ends."""
    begin, end = 0, len(tokens)
    while begin < end and not tokens[begin].is_word:
        begin += 1
    while end > begin and _is_loose(tokens[end - 1]):
        end -= 1
    return tuple(tokens[begin:end])


def _is_loose(token: Token) -> bool:
    return token.lower in {"and", "but", "or"} or not (token.is_word or token.text in ")%\u20ac$")


def _who(subject: Sequence[Token]) -> Who | None:
    """What kind of subject this is; None for `you`, `it`, `nobody` and their like."""
    first, last = subject[0].lower, subject[-1].lower
    if last == "i" and len(subject) > 1:
        return Who.GROUP
    if first in {"i", "we"}:
        return Who.SPEAKER if first == "i" else Who.GROUP
    if first in {"he", "she", "his", "her"}:
        return Who.PRONOUN
    if first in {"my", "our"}:
        return Who.OWNED
    if subject[0].is_name:
        return Who.NAMED
    return Who.THING if first == "the" else None


def _is_real_setting(fronted: Sequence[Token]) -> bool:
    words = {token.lower for token in fronted}
    return not words & (CONDITIONAL | UNREAL | _FICTION)


def _is_over(words: Sequence[str]) -> bool:
    return "anymore" in words or not _OVER.isdisjoint(pairwise(words))


def _is_embedding(stem: str, rest: Sequence[Token]) -> bool:
    """Whether a clause that the speaker does not assert follows the verb."""
    words = [token.lower for token in rest]
    if stem in NEVER_FACTS or (stem == "be" and words and words[0] in _SAID_TO_BE):
        return True
    if any(word in CONDITIONAL | UNREAL for word in words):
        return True
    for place, word in enumerate(words):
        before = words[place - 1] if place else ""
        if before in REASON_OR_TIME:
            continue
        if word in _CLAUSE_PRONOUNS or (word in {"you", "it"} and subject_end(rest, place)):
            return True
        if word == "that" and subject_end(rest, place + 1) is not None:
            return True
    is_conviction = stem == "be" and any(word in _CONVICTIONS for word in words[:3])
    return (stem in EMBEDDING or is_conviction) and _has_clause(rest, words)


def _has_clause(rest: Sequence[Token], words: Sequence[str]) -> bool:
    """Whether a clause, a question or an infinitive follows a verb of saying and its like."""
    place = 0
    while place < len(words) and words[place] in _INDIRECT | ADVERBS:
        place += 1
    if place == len(words):
        return True
    if words[place] in QUESTION_WORDS | {"to", "that", "about", "of", "so", ":"}:
        return True
    if rest[place].text[0] in '"\u201c\u201e\u00ab':
        return True
    return any(subject_end(rest, p) is not None for p in range(place, len(words)))
