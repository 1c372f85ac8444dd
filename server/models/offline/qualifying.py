"""Whether the words around a fact qualify it: it then holds on some occasions, or in one place."""

from __future__ import annotations

from collections.abc import Sequence

from server.models.offline.lexicon import is_gerund, pattern, verb_stem
from server.models.offline.phrases import Complement, Item, read_complement
from server.models.offline.statements import Statement
from server.models.offline.tokens import Token, joined, lowered

_NEUTRAL, _FROM_NOW_ON = pattern("neutral"), pattern("from_now_on")
_ON_A_DAY, _PLACE_TAIL, _SEASON = pattern("on_a_day"), pattern("place_tail"), pattern("season")


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
    if statement.stem == verb_stem("change") and lowered(complement.tail[:1]) == ["to"]:
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
