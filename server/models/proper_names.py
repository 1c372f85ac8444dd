"""Finds the names in a question by their capital letters."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

_MOST: Final = 1 / 3
"""If more words than this have capitals, these mean nothing: in a title, in a German sentence."""

_ENDS_SENTENCE: Final = re.compile(r"[.!?:][\"')\]\u2019\u201d]*$")
_FIRST_PERSON: Final = re.compile(r"I(?:['\u2019]\w+)?\W*$")


def proper_names(question: str) -> list[str]:
    """Returns the capitalized words, except the first word of a sentence and "I"."""
    words = question.split()
    names = [
        word
        for before, word in pairwise(words)
        if word[0].isupper() and not _FIRST_PERSON.match(word) and not _ENDS_SENTENCE.search(before)
    ]
    return names if len(names) <= _MOST * len(words) else []


def without_names(question: str) -> str:
    """Returns the question without these words."""
    names = proper_names(question)
    return " ".join(word for word in question.split() if word not in names)
