"""English words: how text falls into them, and what they have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable


def word_set(text: str) -> frozenset[str]:
    """The words of a list that is written as running text."""
    return frozenset(text.split())


TOKEN = re.compile(r"\w+(?:['-]\w+)*|\s+|[^\w\s]")
"""A word, a run of white space, or one other character: together they are the whole text."""

_SHORTEST_STEM = 3
_WORD = re.compile(r"\w+(?:['-]\w+)*")
_LEVEL = str.maketrans(
    dict.fromkeys("\u2018\u2019", "'")
    | dict.fromkeys("\u201c\u201d", '"')
    | dict.fromkeys("\n\r\t\u00a0", " ")
)
_CONTRACTIONS = {
    "i'm": "I am", "im": "I am", "i've": "I have", "ive": "I have", "i'll": "I will",
    "dont": "don't", "doesnt": "doesn't", "didnt": "didn't", "cant": "can't", "isnt": "isn't",
    "wasnt": "wasn't", "havent": "haven't", "wont": "won't",
}  # fmt: skip
_SHORT_FORMS = re.compile(rf"\b(?:{'|'.join(_CONTRACTIONS)})\b", re.IGNORECASE)
_HEDGES = re.compile(r"\b(?:kinda|kind of|sort of|sorta) (?=[a-z])", re.IGNORECASE)
_I_HAD = re.compile(r"\bI'd(?= (?:been|had|never|always|already|better)\b)", re.IGNORECASE)
_I_WOULD = re.compile(r"\bI'd\b", re.IGNORECASE)

FUNCTION_WORDS = word_set(
    """a an the this that these those some any my your his her its our their mine i me you he she it
    we us they them user user's and or but so because if then than as of in on at to for from with
    by about into over under is am are was were be been being do does did has have had will would
    can could should may might must just also really very too still now currently recently
    there here who which what when where why how s
    named called said"""
)
"""Words that say how others hang together, and nothing of their own."""


def level(text: str) -> str:
    """The text, as long as it was, with straight quotation marks and blanks for white space."""
    return text.translate(_LEVEL)


def plain(text: str) -> str:
    """The text on one line, with straight quotation marks and single spaces."""
    return " ".join(level(text).split())


def expanded(text: str) -> str:
    """The text with the first person's short forms written out, without `kind of` and its like."""
    text = _HEDGES.sub("", text)
    text = _I_WOULD.sub("I would", _I_HAD.sub("I had", text))
    return _SHORT_FORMS.sub(lambda match: _CONTRACTIONS[match.group().lower()], text)


def words(text: str) -> list[str]:
    """The words of the text, in order."""
    return _WORD.findall(text)


def stem(word: str) -> str:
    """The word in lower case without the commonest endings; good enough to compare words by."""
    word = word.lower().removesuffix("'s")
    for ending, replacement in (("ies", "y"), ("ied", "y"), ("sses", "ss")):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word[: -len(ending)] + replacement
    if word.endswith("s") and len(word) > _SHORTEST_STEM and word[-2] not in "sui":
        word = word[:-1]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            word = word[: -len(ending)]
            if word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    return word.removesuffix("e") if len(word) > _SHORTEST_STEM else word


def content_stems(text: str, without: Iterable[str] = ()) -> tuple[str, ...]:
    """The stems of the words that carry meaning, in order."""
    left_out = FUNCTION_WORDS.union(without)
    return tuple(stem(word) for word in words(text) if word.lower() not in left_out)
