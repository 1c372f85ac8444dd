"""Decides whether a clause holds permanently, only on some occasions, or no longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.models.offline import lexicon
from server.models.offline.phrases import Complement, read_complement
from server.models.offline.sentences import Token, joined, lowered
from server.models.offline.statements import Statement, Who

_NEUTRAL, _FROM_NOW_ON = lexicon.pattern("neutral"), lexicon.pattern("from_now_on")
_ON_A_DAY, _SEASON = lexicon.pattern("on_a_day"), lexicon.pattern("season")
_PLACE_TAIL = lexicon.pattern("place_tail")
_MOVING = lexicon.verbs_listed("moving")
_RULES = lexicon.rules("ending")
PARTNERS = frozenset({"dates", "engaged_to", "married_to", "partner_of"})
DENIAL, DISPOSAL, GIVING_UP, LOSS, RETURN = "denial", "disposal", "giving up", "loss", "return"
SWITCH, CHANGE = "switch", "change"


def is_qualified(statement: Statement, complement: Complement) -> bool:
    """Whether a statement holds only on some occasions, or for one thing among others."""
    is_plain = _is_neutral(statement.tokens[: statement.begin], is_event=statement.is_past)
    return statement.is_limited or not (is_plain and _is_tail_neutral(statement, complement))


def contrast_place(rest: Sequence[Token]) -> int | None:
    """Returns where `, not coffee` or `instead of coffee` begins."""
    for place in range(1, len(rest) - 1):
        before, word, after = lowered(rest[place - 1 : place + 2])
        is_not = word == "not" and before in {",", "and"}
        if is_not or f"{word} {after}" in {"instead of", "rather than"}:
            return place
    return None


def read_contrast(tokens: Sequence[Token]) -> frozenset[str]:
    """Returns the keys of the items of `not coffee` or `instead of taking the bus`."""
    start = 1 + (tokens[1].lower in {"of", "than"})
    verb = next((p for p, token in enumerate(tokens) if lexicon.is_gerund(token.lower)), start - 1)
    items = read_complement(tokens[verb + 1 :], after_be=False).items
    return frozenset(item.key for item in items)


def _is_tail_neutral(statement: Statement, complement: Complement) -> bool:
    """Whether the words after the items only state since when, where or how the fact holds.

    Something that is denied for one place or day can still hold for others.
    """
    if statement.stem in _MOVING and lowered(complement.tail[:1]) == ["to"]:
        return True
    if statement.is_denied and not statement.is_over and complement.items:
        return bool(_FROM_NOW_ON.fullmatch(joined(complement.tail).lower()))
    tail = complement.tail
    if statement.stem in _MOVING | {lexicon.verb_stem("live")} and lowered(tail[:1]) == ["with"]:
        return not _SEASON.search(joined(tail).lower())
    if complement.items and lowered(tail[:1]) in (["a"], ["an"], ["per"]):
        tail = tail[2:]  # `500 euros a month` is an amount.
    return _is_neutral(tail, is_event=statement.is_past or not complement.items)


def _is_neutral(tokens: Sequence[Token], *, is_event: bool = False) -> bool:
    """Whether the words around a fact only state since when, where or how it holds.

    The day of an event does not qualify it.
    """
    text = joined(tokens)
    if is_event:
        text = _ON_A_DAY.sub("", text)
    if _PLACE_TAIL.search(text) and not _SEASON.search(text):
        text = _PLACE_TAIL.sub(" ", text)
    return bool(_NEUTRAL.fullmatch(text.lower()))


@dataclass(frozen=True, slots=True)
class Ending:
    """What a clause ends, and how.

    The verb ends `relations` such as `works_at`; with `is_named` only relations to entities in the
    clause. `over` are the rules that match clauses which can no longer be true.

    The `kinds` say what is over for the things in the clause: owning them (DISPOSAL), using or
    doing them (GIVING_UP), both of these and living in them (SWITCH), or being elsewhere (RETURN).
    Another thing takes their place after a CHANGE. The subject no longer exists after a LOSS.
    """

    kinds: frozenset[str] = frozenset()
    relations: frozenset[str] = frozenset()
    is_named: bool = False
    over: tuple[lexicon.Rule, ...] = ()

    def __bool__(self) -> bool:
        """Whether it ends anything."""
        return bool(self.kinds or self.relations)


def read_ending(statement: Statement, complement: Complement) -> Ending:
    """Returns what a clause ends."""
    if statement.is_retraction:
        return _denial(statement, complement)
    if statement.is_planned or statement.is_limited:
        return Ending()
    rules = _RULES.get(statement.stem, ())
    rest = " ".join(lowered(statement.rest)) if rules else ""
    found = [rule for rule in rules if _fits(rule, statement, complement, rest)]
    kinds = frozenset(rule.kind for rule in found if rule.kind)
    over = tuple(rule for rule in found if rule.over)
    unnamed = [rule for rule in found if rule.relations and not rule.named]
    # `Mia left me` ends no job, although `Mia left Acme` does.
    relations = frozenset(relation for rule in unnamed or found for relation in rule.relations)
    return Ending(kinds, relations, not unnamed, over)


def _fits(rule: lexicon.Rule, statement: Statement, complement: Complement, rest: str) -> bool:
    """Whether the rule reads a statement with these words after its verb."""
    has_voice = statement.is_past or statement.is_perfect or not rule.passive
    is_under_way = rule.kind == DISPOSAL and statement.is_progressive
    is_usual = rule.kind == GIVING_UP and not (statement.is_past or statement.is_progressive)
    has_object = bool(complement.items) or rule.kind != GIVING_UP
    if (
        is_under_way
        or is_usual
        or not (has_voice and has_object and rule.lead.fullmatch(complement.lead))
    ):
        return False
    return rule.rest.match(rest) is not None


_PLACE_OF = {
    ("work", "at"): {"works_at"}, ("work", "for"): {"works_at"}, ("work", "as"): {"works_as"},
    ("live", "in"): {"lives_in"}, ("be", "with"): {"works_at", *PARTNERS}
}  # fmt: skip


def _denial(statement: Statement, complement: Complement) -> Ending:
    """Returns what a negation ends: `I no longer work at Acme`, `we are not together`."""
    is_apart = statement.who is Who.GROUP and "together" in lowered(statement.rest)
    place = (
        _PLACE_OF.get((statement.stem, complement.lead))
        if statement.is_over and not statement.is_ability
        else None
    )
    ended = PARTNERS if is_apart else frozenset(place or ())
    is_done = statement.is_over and statement.stem in lexicon.USING
    kinds = frozenset({DENIAL}) if is_done or not statement.is_ability else frozenset()
    return Ending(kinds, ended, is_named=place is not None)
