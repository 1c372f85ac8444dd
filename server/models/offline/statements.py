"""Parses what a clause asserts: its subject and verb, and whether it is denied or imagined.

A clause states a fact if its subject is the speaker, somebody of theirs or somebody named, and its
verb is in the indicative. A clause with a second subject (`Tom says that I moved`), a condition or
a word such as `maybe` states nothing. When in doubt, a clause states nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise

from server.memories.add.evidence import HEDGES
from server.models.offline import lexicon
from server.models.offline.clauses import Clause, main_subject, subject_end
from server.models.offline.lexicon import listed, stems, verbs_listed, word_set
from server.models.offline.sentences import Token, after_adverbs, lowered


class Who(Enum):
    """The kind of subject of a clause."""

    SPEAKER = auto()
    GROUP = auto()
    """The speaker and others: `we`, `my wife and I`."""

    OWNED = auto()
    """Somebody or something of the speaker's: `my sister Ana`."""

    NAMED = auto()
    PRONOUN = auto()
    THING = auto()
    """Something else: `the wedding`."""


@dataclass(slots=True)
class Statement:
    """An asserted clause, parsed; it does not change after it is read.

    The subject is `tokens[begin:end]`; `verb` is the place of the main verb, `stem` the stem of the
    verb, and `rest` are the words after it. `is_over` means that it no longer holds (`no longer`,
    `any more`, `used to`, `stopped`); `is_planned` that it is only intended; `is_ability` that it
    is about an ability; `is_limited` that it holds only on some occasions, or for one thing among
    others.
    """

    tokens: tuple[Token, ...]
    who: Who
    begin: int
    end: int
    verb: int = 0
    rest: tuple[Token, ...] = ()
    stem: str = ""
    is_denied: bool = False
    is_over: bool = False
    is_planned: bool = False
    is_past: bool = False
    is_limited: bool = False
    is_perfect: bool = False
    is_progressive: bool = False
    is_ability: bool = False

    @property
    def subject_tokens(self) -> tuple[Token, ...]:
        """The words of the subject."""
        return self.tokens[self.begin : self.end]

    @property
    def is_former(self) -> bool:
        """Whether it states what its subject was: `my boss was Tom`, not `I was hired`."""
        was = self.stem == "be" and self.is_past and not self.is_perfect
        first = self.rest[0].lower if self.rest else ""
        return was and first != "born" and (first in _MARITAL or not lexicon.is_past(first))

    @property
    def is_retraction(self) -> bool:
        """Whether it denies something, or states that it has ended."""
        return self.is_denied or self.is_over


_BE = word_set("am is are was were be been")
_HAVE = word_set("have has had")
_DO = word_set("do does did")
_LIMITING = listed("limiting")
_MARITAL = listed("marital")
_ONLY_PARTLY = _LIMITING | {"always", "just", "only", "very"}
_STARTING = stems("start begin")
_ACTIVITIES = listed("activities")
_LEARNED = word_set("learned learnt")
_COMING, _FEELING = word_set("come came grown grew"), lexicon.TASTES | lexicon.DISTASTES
_STOPPING, _COMPLETING = verbs_listed("ending"), stems("finish complete")
PHRASAL = frozenset({("give", "up"), ("pack", "in"), ("cut", "out"), ("swear", "off")})
"""Verbs that end something only together with the words after them."""

_UNREAL = stems("wish")
_WISHES = word_set("like love prefer rather")
_UNDER_WAY = word_set(
    "moving going getting starting leaving planning relocating switching retiring resigning"
    " quitting"
)
"""Progressive forms for things that are yet to come."""


def read_statement(clause: Clause) -> Statement | None:
    """Returns the assertion of the clause; None if there is none, or it is uncertain."""
    tokens = _trimmed(clause.tokens)
    found = main_subject(tokens)
    if found is None:
        return None
    who = _who(tokens[slice(*found)])
    front = lowered(tokens[: found[0]])
    if who is None or ("far", "as") in pairwise(front) or not HEDGES.isdisjoint(lowered(tokens)):
        return None
    statement = Statement(tokens, who, *found)
    if not _read_verb(statement) or statement.stem in _UNREAL or _is_embedding(statement):
        return None
    words = lowered(statement.rest)
    statement.is_denied |= words[:1] == ["no"] and statement.stem in lexicon.POSSESSING
    is_ended_for_now = statement.is_perfect and not _FOR_SO_LONG.isdisjoint(words)
    statement.is_over |= statement.is_denied and is_ended_for_now
    is_ended = ("no", "longer") in pairwise(words)
    statement.is_denied |= is_ended
    statement.is_over |= is_ended or "anymore" in words or not _ANY_MORE.isdisjoint(pairwise(words))
    return statement


_FOR_SO_LONG = word_set("since for")
_ANY_MORE = frozenset({("any", "more"), ("any", "longer"), ("no", "more")})


def _read_verb(statement: Statement) -> bool:
    """Reads the words up to the main verb. Returns whether it is in the indicative."""
    tokens = statement.tokens
    place = statement.end
    while length := _auxiliary_length(statement, place):
        if length == _NOT_ASSERTED:
            return False
        place += length
    if place >= len(tokens) or not tokens[place].is_word:
        return False
    word = tokens[place].lower
    base = lexicon.NEGATED.get(word, word)
    statement.verb, statement.stem = place, lexicon.verb_stem(base)
    statement.is_denied |= word in lexicon.NEGATED
    statement.is_past |= lexicon.is_past(base) or base in {"was", "were"}
    following = lowered(tokens[place + 1 : place + 2])
    if word == "got" and statement.is_perfect and not lexicon.DETERMINERS.isdisjoint(following):
        statement.stem = "have"
    place += 1
    while base in _BE and (length := _adverb(statement, place)):
        place += length
    statement.rest = tokens[place:]
    return True


_NOT_ASSERTED = -1


def _auxiliary_length(statement: Statement, place: int) -> int:
    """Returns the number of auxiliary words at this place, and stores what they mean.

    Returns `_NOT_ASSERTED` if they show that the clause asserts nothing, as `would` does.
    """
    tokens = statement.tokens
    if length := _adverb(statement, place):
        return length
    word = tokens[place].lower if place < len(tokens) else ""
    base = lexicon.NEGATED.get(word, word)
    after = after_adverbs(tokens, place + 1)
    following, later, *_ = [*lowered(tokens[after : after + 2]), "", ""]
    length = 0
    if base in lexicon.MODALS or base == "will":
        if base not in {"can", "will"} and following not in _WISHES:
            return _NOT_ASSERTED
        length = 1
        statement.is_ability |= base == "can"
        statement.is_planned |= base != "can"
    elif base in _BE and following.endswith("ing") and not _is_noun(statement, after):
        statement.is_planned |= following in _UNDER_WAY
        statement.is_progressive = True
        length = 1
    elif base in _HAVE and following != "to":
        length = int(lexicon.is_past(following) or following in {"been", "become", "come"})
        statement.is_perfect |= length > 0 and base != "had"
    elif base in _DO:
        length = int(word != base or following in lexicon.VERBS)
    elif following == "to" and _before_infinitive(word, later):
        statement.is_over |= word == "used" and not statement.is_denied
        statement.is_ability |= word in _LEARNED and lexicon.verb_stem(later) not in _FEELING
        statement.is_past |= word in {"used", "had"}
        statement.is_planned |= word == "decided"
        statement.is_denied |= "not" in lowered(tokens[place:after])
        length = after + 1 - place
    elif length := _before_gerund(word, following, later):
        _read_stop(statement, lexicon.verb_stem(word))
    if length:
        statement.is_denied |= word in lexicon.NEGATED
        statement.is_past |= base in {"did", "was", "were"}
    return length


def _read_stop(statement: Statement, stem: str) -> None:
    """Stores what a verb such as `stopped` before one in -ing means; who did not stop goes on."""
    if stem not in _STARTING:
        statement.is_over = not statement.is_denied
        statement.is_denied = statement.is_over and stem not in _COMPLETING


def _is_noun(statement: Statement, place: int) -> bool:
    """Whether the word in -ing here is a noun: a name, or what somebody does in `my hobby is`."""
    subject = lowered(statement.subject_tokens)
    return statement.tokens[place].is_name or not _ACTIVITIES.isdisjoint(subject)


def _before_infinitive(word: str, later: str) -> bool:
    """Whether it is a word such as `used` in `used to live` or `come` in `come to like`."""
    begins_feeling = word in _COMING and lexicon.verb_stem(later) in _FEELING
    return begins_feeling or (word in {"used", "had", "decided", *_LEARNED} and later != "")


def _before_gerund(word: str, following: str, later: str) -> int:
    """Returns the length of `stopped`, `started` or `gave up` before a verb in -ing; 0 for none."""
    stem = lexicon.verb_stem(word)
    if (stem, following) in PHRASAL:
        return 2 * later.endswith("ing")
    return int(stem in _STARTING | _STOPPING and stem != "give" and following.endswith("ing"))


def _adverb(statement: Statement, place: int) -> int:
    """Returns the length of an adverb at this place, and stores its meaning in the statement."""
    words = lowered(statement.tokens[place : place + 2])
    if words == ["no", "longer"]:
        statement.is_denied = statement.is_over = True
        return 2
    if not words or words[0] not in lexicon.ADVERBS or words[0] == "no":
        return 0
    statement.is_limited |= words[0] in (_ONLY_PARTLY if statement.is_denied else _LIMITING)
    statement.is_denied |= words[0] in {"not", "never"}
    return 1


def _trimmed(tokens: Sequence[Token]) -> tuple[Token, ...]:
    """Returns the tokens without punctuation at both ends."""
    begin, end = 0, len(tokens)
    while begin < end and not tokens[begin].is_word:
        begin += 1
    while end > begin and _belongs_to_no_clause(tokens[end - 1]):
        end -= 1
    return tuple(tokens[begin:end])


def _belongs_to_no_clause(token: Token) -> bool:
    return token.lower in {"and", "but", "or"} or not (token.is_word or token.text in ")%\u20ac$")


def _who(subject: Sequence[Token]) -> Who | None:
    """Returns the kind of subject; None for `you`, `it`, `nobody` and the like."""
    first = subject[0].lower
    if len(subject) > 1 and (subject[-1].lower == "i" or first == "me"):
        return Who.GROUP
    if first in lexicon.GENDERS_MEANT:
        return Who.PRONOUN
    kinds = {"i": Who.SPEAKER, "we": Who.GROUP, "my": Who.OWNED, "our": Who.OWNED,
             "the": Who.THING}  # fmt: skip
    return kinds.get(first) or (Who.NAMED if subject[0].is_name else None)


def _is_embedding(statement: Statement) -> bool:
    """Whether a clause that the speaker does not assert follows the verb."""
    rest = statement.rest
    words = lowered(rest)
    for place, word in enumerate(words):
        if place and words[place - 1] in lexicon.CONJUNCTIONS:
            continue
        if word in {"i", "we", "he", "she", "they"}:
            return True
        begins = {place + 1 if word == "that" else place}
        if place == 0:
            begins.add(0)
        if word in {"you", "it", "that"} and any(subject_end(rest, p) for p in begins):
            return True
    return False
