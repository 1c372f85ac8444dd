"""Splits text into words, in every script, and reduces English words to their stems.

A word keeps its combining marks (Unicode categories Mn and Mc, without which many scripts cannot be
spelled) and the punctuation in names such as McDonald's, AC/DC, AT&T, node.js, C++ and F#. Text is
compared in NFC, so that decomposed and composed spellings are equal; stored text stays as it was
sent.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import lru_cache
from itertools import groupby

import Stemmer

_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc", "'"))


def _marks() -> str:
    """Returns the combining marks as ranges for a regular expression's character class.

    Python's `\\w` leaves them out. The last Unicode planes have none that are used in words.
    """
    last = min(sys.maxunicode, 0x1FFFF)
    points = (p for p in range(0x300, last) if unicodedata.category(chr(p)) in {"Mn", "Mc"})
    runs = (
        [point for _, point in run] for _, run in groupby(enumerate(points), lambda x: x[1] - x[0])
    )
    return "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in runs)


_LETTER = rf"[\w{_marks()}]"
WORD_PATTERN = rf"{_LETTER}+(?:['\u2019\u02bc/&+#.\u00b7-]{_LETTER}+)*(?:\+\+|[+#](?!\w))?"
"""A regular expression for a word. It looks at each character a bounded number of times."""

_WORD = re.compile(WORD_PATTERN)
_STEMMER = Stemmer.Stemmer("english")


def normalized(text: str) -> str:
    """Returns the text in the form used for comparison: NFC, with straight apostrophes."""
    composed = text if text.isascii() else unicodedata.normalize("NFC", text)
    return composed.translate(_APOSTROPHES)


def words(text: str) -> list[str]:
    """Returns the words of the text in order, normalized, in their original case."""
    return _WORD.findall(normalized(text))


@lru_cache(maxsize=8_192)
def english_stem(word: str) -> str:
    """Returns the case-folded word without its English ending, by Snowball's English stemmer.

    See https://snowballstem.org/algorithms/english/stemmer.html.
    """
    stem: str = _STEMMER.stemWord(word.casefold())
    return stem
