"""Reads the verb of a clause: how it is meant, and where what follows it begins."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Flag, auto
from itertools import pairwise

from server.models.offline import lexicon
from server.models.offline.lexicon import is_past, listed, stems, verb_stem, word_set
from server.models.offline.tokens import Token, after_adverbs, lowered


class Sense(Flag):
    """How a clause is meant.

    OVER: it no longer holds (`no longer`, `used to`, `stopped`). FORMER: it states what its subject
    was (`my boss was Tom`, not `I was hired`). LIMITED: it holds only on some occasions, or for one
    thing among others (`sometimes`, `also`).
    """

    PLAIN = 0
    UNREAL = auto()
    DENIED = auto()
    OVER = auto()
    PAST = auto()
    PERFECT = auto()
    PROGRESSIVE = auto()
    PLANNED = auto()
    ABILITY = auto()
    LIMITED = auto()
    FORMER = auto()
    RETRACTED = DENIED | OVER


_BE, _HAVE = word_set("am is are was were be been"), word_set("have has had")
_DO, _PAST = word_set("do does did"), word_set("was were did had used")
_MODAL = {"can": Sense.ABILITY, "will": Sense.PLANNED}
_TO = {"used": Sense.OVER, "had": Sense.PAST, "decided": Sense.PLANNED, "learned": Sense.ABILITY}
_LIMITING, _UNDER_WAY = listed("limiting"), listed("under_way")
_NOUNS = listed("activities") | lexicon.PERIODS
_PARTLY, _SOME = _LIMITING | word_set("always just only very"), word_set("all every much many")
_STOPPING, _COMPLETING = stems(listed("giving_up")), stems("finish complete")
_STARTING, _MARITAL = stems("start begin"), listed("marital")
_OVER = {("no", "longer"), ("any", "more"), ("any", "longer"), ("no", "more")}


def read_verb(tokens: Sequence[Token], end: int) -> tuple[int, int, str, Sense] | None:
    """Returns the place of the verb after a subject that ends here, and that of what follows.

    Also returns its stem, and how it is meant; or None if there is no verb.
    """
    place, sense, length = end, Sense.PLAIN, 1
    while place < len(tokens) and length:
        length, meaning = _helping(tokens, place)
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
    is_ended = Sense.DENIED in sense and Sense.PERFECT in sense and {"for", "since"} & {*rest}
    return place, after, stem, sense | Sense.OVER if is_ended else sense  # `I haven't since May.`


def _helping(tokens: Sequence[Token], place: int) -> tuple[int, Sense]:
    """Returns the number of words of an adverb or auxiliary here, and its meaning."""
    word, after = tokens[place].lower, after_adverbs(tokens, place + 1)
    base, stem = lexicon.NEGATED.get(word, word), verb_stem(word)
    following, later = [*lowered(tokens[after : after + 2]), "", ""][:2]
    is_gerund = following.endswith("ing") and not tokens[after].is_name
    length, meaning = 1, Sense.PLAIN
    if base in lexicon.MODALS or base == "will":
        meaning = _MODAL.get(base, Sense.UNREAL)
    elif base in _BE and is_gerund and _NOUNS.isdisjoint({following, tokens[place - 1].lower}):
        meaning = Sense.PROGRESSIVE | (Sense.PLANNED if following in _UNDER_WAY else Sense.PLAIN)
    elif base in _HAVE and (is_past(following) or following in {"become", "come"}):
        meaning = Sense.PLAIN if base == "had" else Sense.PERFECT
    elif following == "to" and later and word in _TO:
        length, meaning = after + 1 - place, _TO[word]
    elif stem == "give" and following == "up" and later.endswith("ing"):
        length = 2
    else:
        is_auxiliary = base in _DO and (word != base or following in lexicon.VERBS)
        is_stopping = is_gerund and stem in _STOPPING | _STARTING
        length = int(is_auxiliary or is_stopping or word in lexicon.ADVERBS)
    return length, meaning


def _manner(words: Sequence[str], rest: Sequence[str], stem: str) -> Sense:
    """Returns what the words around a verb mean; who never stopped still does it."""
    bases, pairs = [lexicon.NEGATED.get(w, w) for w in words], {*pairwise([*words, *rest])}
    stopping = ({verb_stem(base) for base in bases} - {stem}) & _STOPPING
    is_denied = bases != list(words) or not {"not", "never"}.isdisjoint(words)
    is_denied |= list(rest[:1]) == ["no"] and stem in lexicon.POSSESSING
    is_past_tense = is_past(bases[-1]) or not _PAST.isdisjoint(bases)
    is_over = "anymore" in rest or _OVER & pairs or (stopping and not is_denied)
    is_stopped = stopping and not stopping <= _COMPLETING
    is_negative = (is_denied ^ bool(is_stopped)) or ("no", "longer") in pairs
    sense = Sense.PAST if is_past_tense else Sense.PLAIN
    sense |= Sense.LIMITED if {*words} & (_PARTLY if is_denied else _LIMITING) else Sense.PLAIN
    first = "".join(rest[:1])
    is_event = first == "born" or (is_past(first) and first not in _MARITAL)
    was = stem == "be" and bases[-1] in {"was", "were"} and not is_event
    sense |= Sense.FORMER if was else Sense.PLAIN
    is_partial = any(word in _SOME and before not in {"at", "after"} for before, word in pairs)
    sense |= Sense.LIMITED if is_denied and is_partial else Sense.PLAIN
    sense |= Sense.OVER if is_over else Sense.PLAIN
    return sense | (Sense.DENIED if is_negative else Sense.PLAIN)
