"""What counts as evidence of a proposal: a clause that its message really says."""

from __future__ import annotations

import re
import unicodedata

MIN_WORDS = 2
"""Fewest whole words of a piece of evidence. Short clauses have two, as in "I smoke"; a word by
itself, or a piece of one, is said in so many messages that it shows nothing."""

# Thai, Lao, Tibetan, Burmese, Khmer, Kana and Han are written without spaces between words. Most of
# their words have one or two letters, so every two letters begun count as a word.
_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
_LETTERS_OF_A_WORD = 2


def words_in(content: str, start: int, end: int) -> int:
    """How many words of the content lie wholly between the two places."""
    words = content[start:end].split()
    if words and start > 0 and _one_word(content[start - 1], content[start]):
        words = words[1:]
    if words and end < len(content) and _one_word(content[end - 1], content[end]):
        words = words[:-1]
    return sum(map(_count, words))


def _count(word: str) -> int:
    unspaced = len(_UNSPACED.findall(word))
    if unspaced:
        return (unspaced + 1) // _LETTERS_OF_A_WORD
    return 1 if any(map(str.isalnum, word)) else 0


def _one_word(before: str, after: str) -> bool:
    """Whether no word ends between the two neighbouring characters."""
    return all(_is_of_word(c) and not _UNSPACED.match(c) for c in (before, after))


def _is_of_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character).startswith("M")
