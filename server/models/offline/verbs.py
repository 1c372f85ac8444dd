"""Reads the verb of a clause: how it is meant, and where what follows it begins."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Flag, auto
from itertools import pairwise

from server.models.offline import lexicon
from server.models.offline.lexicon import is_past, listed, stems, verb_stem, word_set
from server.models.offline.tokens import Token, after_adverbs, lowered


class Sense(Flag):
    """How a clause is meant."""

    PLAIN = 0
    UNREAL = auto()
    DENIED = auto()
    OVER = auto()
    """It no longer holds: `no longer`, `any more`, `used to`, `stopped`."""

    PAST = auto()
    PERFECT = auto()
    PROGRESSIVE = auto()
    PLANNED = auto()
    ABILITY = auto()
    LIMITED = auto()
    """It holds only on some occasions, or for one thing among others: `sometimes`, `also`."""

    RETRACTED = DENIED | OVER


_BE, _HAVE = word_set("am is are was were be been"), word_set("have has had")
_DO, _PAST = word_set("do does did"), word_set("was were did had")
_MODAL = {"can": Sense.ABILITY, "will": Sense.PLANNED}
_BEFORE_INFINITIVE = {
    "used": Sense.OVER, "had": Sense.PAST, "decided": Sense.PLANNED, "learned": Sense.ABILITY,
}  # fmt: skip
_WISHES, _UNDER_WAY = word_set("like love prefer rather"), listed("under_way")
_LIMITING, _ACTIVITIES = listed("limiting"), listed("activities")
_PARTLY = _LIMITING | word_set("always just only very")
_STOPPING, _COMPLETING = stems(listed("giving_up")), stems("finish complete")
_STARTING = stems("start begin")
_OVER = {("no", "longer"), ("any", "more"), ("any", "longer"), ("no", "more")}


def read_verb(tokens: Sequence[Token], end: int) -> tuple[int, int, str, Sense] | None:
    """Returns the place of the verb after a subject that ends here, and that of what follows.

    Also returns its stem, and how it is meant; or None if there is no verb.
    """
    place, sense = end, Sense.PLAIN
    while place < len(tokens):
        length, meaning = _helping(tokens, place)
        if length == 0:
            break
        place, sense = place + length, sense | meaning
    if place >= len(tokens) or not tokens[place].is_word:
        return None
    said = lexicon.NEGATED.get(tokens[place].lower, tokens[place].lower)
    stem = verb_stem(said)
    after = after_adverbs(tokens, place + 1) if stem == "be" else place + 1
    words, rest = lowered(tokens[end:after]), lowered(tokens[after:])
    if said == "got" and Sense.PERFECT in sense and not lexicon.DETERMINERS.isdisjoint(rest[:1]):
        stem = "have"
    sense |= _manner(words, rest, stem)
    if Sense.DENIED in sense and Sense.PERFECT in sense and {"for", "since"} & {*rest}:
        sense |= Sense.OVER  # `I haven't smoked for a year.`
    return place, after, stem, sense


def _helping(tokens: Sequence[Token], place: int) -> tuple[int, Sense]:
    """Returns the number of words of an adverb or auxiliary here, and its meaning."""
    word = tokens[place].lower
    base = lexicon.NEGATED.get(word, word)
    after = after_adverbs(tokens, place + 1)
    following, later = [*lowered(tokens[after : after + 2]), "", ""][:2]
    is_gerund = following.endswith("ing") and not tokens[after].is_name
    length, meaning = 0, Sense.PLAIN
    if base in lexicon.MODALS or base == "will":
        is_wish = base not in _MODAL and following in _WISHES
        length, meaning = 1, Sense.PLANNED if is_wish else _MODAL.get(base, Sense.UNREAL)
    elif base in _BE and is_gerund and tokens[place - 1].lower not in _ACTIVITIES:
        length = 1
        meaning = Sense.PROGRESSIVE | (Sense.PLANNED if following in _UNDER_WAY else Sense.PLAIN)
    elif base in _HAVE and (is_past(following) or following in {"become", "come"}):
        length, meaning = 1, Sense.PLAIN if base == "had" else Sense.PERFECT
    elif word in lexicon.ADVERBS or (base in _DO and (word != base or following in lexicon.VERBS)):
        length = 1
    elif following == "to" and later and word in _BEFORE_INFINITIVE:
        length, meaning = after + 1 - place, _BEFORE_INFINITIVE[word]
    elif is_gerund and verb_stem(word) in _STOPPING | _STARTING:
        length = 1
    elif (verb_stem(word), following) == ("give", "up") and later.endswith("ing"):
        length = 2
    return length, meaning


def _manner(words: Sequence[str], rest: Sequence[str], stem: str) -> Sense:
    """Returns what the words around a verb mean; who never stopped still does it."""
    bases = [lexicon.NEGATED.get(word, word) for word in words]
    helping = frozenset(map(verb_stem, bases)) - {stem}
    is_denied = bases != list(words) or not {"not", "never"}.isdisjoint(words)
    is_denied |= list(rest[:1]) == ["no"] and stem in lexicon.POSSESSING
    sense = Sense.PLAIN
    if is_past(bases[-1]) or not _PAST.isdisjoint(bases) or "used" in words[:-1]:
        sense |= Sense.PAST
    if not (_PARTLY if is_denied else _LIMITING).isdisjoint(words):
        sense |= Sense.LIMITED
    if _COMPLETING & helping or "anymore" in rest or _OVER & {*pairwise([*words, *rest])}:
        sense |= Sense.OVER
    if _STOPPING & helping - _COMPLETING:
        sense |= Sense.PLAIN if is_denied else Sense.RETRACTED
    elif is_denied or ("no", "longer") in pairwise([*words, *rest]):
        sense |= Sense.DENIED
    return sense
