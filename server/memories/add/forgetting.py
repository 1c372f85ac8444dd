"""Recognizes requests to forget, as far as their language is known.

A model decides what a request means. These checks keep it from taking a statement for a request:
`I will never forget Rome` asks for nothing, and neither does `My sister told me to forget Rome`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from server.memories.add.evidence import OWN_REPORT, clauses, is_negation, is_report

_FORGET_STEMS = (
    *("forget", "unlearn", "delet", "remov", "eras", "drop", "discard", "clear", "wipe", "purg"),
    *("disregard", "vergess", "vergiss", "lösch", "vergeet", "olvid", "borra", "elimin", "oubli"),
    *("effac", "supprim", "dimentic", "cancell", "esquec", "apag", "zapomn", "забуд", "удал"),
)
_KEEP_STEMS = ("remember", "memori", "stor", "sav", "keep", "record")
# The words before `ask` and `tell` that show that the speaker asks: "let me ask you to forget".
_OWN_REQUEST = OWN_REPORT | {"me", "to"}
# Negations only beside a verb: in English, `no` also answers a question.
_NEGATIONS_OF_VERBS = frozenset({"stop", "no", "nie", "не"})
# Words that stand between a negation and its verb, as in "never ever forget".
_BETWEEN = frozenset({"ever"})


def asks_to_forget(text: str, before: Sequence[str] = ()) -> bool:
    """Whether the text asks to forget something, or not to keep it.

    `before` are the words in front of the text in its clause.
    """
    return any(
        _without_elision(clause[place]).startswith(_KEEP_STEMS if negated else _FORGET_STEMS)
        and not is_report(clause[:place], _OWN_REQUEST)
        for clause, place, negated in _each_word(text, before)
    )


def asks_to_remember(text: str, before: Sequence[str] = ()) -> bool:
    """Whether the text denies forgetting, as in "don't forget" and "I will never forget"."""
    return any(
        negated and _without_elision(clause[place]).startswith(_FORGET_STEMS)
        for clause, place, negated in _each_word(text, before)
    )


def _each_word(text: str, before: Sequence[str]) -> Iterator[tuple[Sequence[str], int, bool]]:
    """Yields each word of the text with its clause, and whether a word beside it negates it."""
    start = list(before)
    for found in clauses(text):
        clause = [word for word in (*start, *found) if word not in _BETWEEN]
        start = []
        for place in range(len(clause)):
            beside = (*clause[:place][-1:], *clause[place + 1 : place + 2])
            yield clause, place, any(map(_negates, beside))


def _negates(word: str) -> bool:
    return word in _NEGATIONS_OF_VERBS or is_negation(word)


def _without_elision(word: str) -> str:
    """Returns the verb of a word such as French `n'oublie`."""
    return word.rpartition("'")[2]
