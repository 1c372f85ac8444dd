"""Whether what a clause says holds for good, on some occasions only, or no longer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from server.models.offline.lexicon import Rule, is_gerund, pattern, rules, verb_stem, verbs_listed
from server.models.offline.phrases import Complement, Item, read_complement
from server.models.offline.statements import Statement, Who
from server.models.offline.tokens import Token, joined, lowered

_NEUTRAL, _FROM_NOW_ON = pattern("neutral"), pattern("from_now_on")
_ON_A_DAY, _PLACE_TAIL, _SEASON = pattern("on_a_day"), pattern("place_tail"), pattern("season")
_MOVING = verbs_listed("moving")
_RULES = rules("ending")
_PARTNERS = frozenset({"dates", "engaged_to", "married_to", "partner_of"})
DENIAL, DISPOSAL, GIVING_UP, SWITCH, LOSS = "denial", "disposal", "giving up", "switch", "loss"


def is_qualified(statement: Statement, complement: Complement) -> bool:
    """Whether a statement is said of some occasions, or of one thing beside others."""
    is_plain = _is_neutral(statement.tokens[: statement.begin])
    return statement.is_limited or not (is_plain and _is_tail_neutral(statement, complement))


def contrast_place(rest: Sequence[Token]) -> int | None:
    """Where `, not coffee` or `instead of coffee` begins."""
    for place in range(1, len(rest) - 1):
        before, word, after = lowered(rest[place - 1 : place + 2])
        is_not = word == "not" and before in {",", "and"}
        if is_not or f"{word} {after}" in {"instead of", "rather than"}:
            return place
    return None


def read_contrast(tokens: Sequence[Token]) -> tuple[tuple[Item, ...], str]:
    """The things in `not coffee` and `instead of taking the bus`, and the stem of their verb."""
    tokens = tokens[1 + (tokens[1].lower in {"of", "than"}) :]
    place = next((p for p, token in enumerate(tokens) if is_gerund(token.lower)), None)
    if place is None:
        return read_complement(tokens, after_be=False).items, ""
    return read_complement(tokens[place + 1 :], after_be=False).items, verb_stem(
        tokens[place].lower
    )


def _is_tail_neutral(statement: Statement, complement: Complement) -> bool:
    """Whether what follows the things only says since when, where or how it is so for good.

    What is not done in one place, or on one day, is done elsewhere.
    """
    if statement.stem in _MOVING and lowered(complement.tail[:1]) == ["to"]:
        return True
    if statement.is_denied and not statement.is_over and complement.items:
        return bool(_FROM_NOW_ON.fullmatch(joined(complement.tail).lower()))
    tail = complement.tail
    if statement.stem == verb_stem("live") and lowered(tail[:1]) == ["with"]:
        return True
    return _is_neutral(tail, is_event=statement.is_past or not complement.items)


def _is_neutral(tokens: Sequence[Token], *, is_event: bool = False) -> bool:
    """Whether the words around a fact only say since when, where or how it is so for good.

    Of an event the day only says when it is.
    """
    text = joined(tokens)
    if is_event:
        text = _ON_A_DAY.sub("", text)
    if _PLACE_TAIL.search(text) and not _SEASON.search(text):
        text = _PLACE_TAIL.sub(" ", text)
    return bool(_NEUTRAL.fullmatch(text.lower()))


@dataclass(frozen=True, slots=True)
class Ending:
    """How a clause ends what was so.

    `relations` end by what the verb says, such as `works_at`; if `is_named` only those to what the
    clause names. `over` matches what cannot be so as well, from the verb on. By their `kinds`,
    things are had no longer (DISPOSAL), used or done no longer (GIVING_UP), or neither, nor lived
    in (SWITCH); after a LOSS the subject is there no longer.
    """

    kinds: frozenset[str] = frozenset()
    relations: frozenset[str] = frozenset()
    is_named: bool = False
    over: tuple[re.Pattern[str], ...] = ()

    def __bool__(self) -> bool:
        """Whether it ends anything."""
        return bool(self.kinds or self.relations)


def read_ending(statement: Statement, complement: Complement) -> Ending:
    """What a clause ends."""
    if statement.is_retraction:
        return _denial(statement, complement)
    if statement.is_planned or statement.is_limited:
        return Ending()
    found = [r for r in _RULES.get(statement.stem, ()) if _fits(r, statement, complement)]
    kinds = frozenset(rule.kind for rule in found if rule.kind)
    relations = frozenset(relation for rule in found for relation in rule.relations)
    over = tuple(rule.over for rule in found if rule.over)
    return Ending(kinds, relations, any(rule.is_named for rule in found), over)


def _fits(rule: Rule, statement: Statement, complement: Complement) -> bool:
    is_voice = statement.is_past or not rule.is_passive
    is_told = bool(complement.items) or rule.kind != GIVING_UP
    if not (is_voice and is_told and rule.lead.fullmatch(complement.lead)):
        return False
    return rule.rest.match(" ".join(lowered(statement.rest))) is not None


def _denial(statement: Statement, complement: Complement) -> Ending:
    """What ends by not being so: `I no longer work at Acme`, `we are not together`."""
    is_apart = statement.who is Who.GROUP and "together" in lowered(statement.rest)
    is_work = statement.is_over and statement.stem == "work" and complement.lead in {"at", "for"}
    ended = _PARTNERS if is_apart else frozenset({"works_at"} if is_work else ())
    kinds = frozenset() if statement.is_ability else frozenset({DENIAL})
    return Ending(kinds, ended, is_named=is_work)
