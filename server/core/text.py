"""Finds sentences, words and names in text of every script; stems and digests of text.

A word keeps its combining marks (Unicode categories Mn and Mc, which many scripts need) and the
punctuation in names such as McDonald's, AC/DC, AT&T, node.js, C++ and F#. Text is compared in NFC,
so that decomposed and composed spellings are equal; stored text stays as it was sent.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

import sentencex
import Stemmer

_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc", "'"))


def _marks() -> str:
    """Returns the combining marks as ranges for a regular expression's character class.

    Python's `\\w` leaves them out. The last Unicode planes have none that are used in words.
    """
    end = 0x1FFFF
    ranges: list[tuple[int, int]] = []
    for point in range(0x300, end):
        if unicodedata.category(chr(point)) not in {"Mn", "Mc"}:
            continue
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1] = ranges[-1][0], point
        else:
            ranges.append((point, point))
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


_LETTER = rf"[\w{_marks()}]"
WORD_PATTERN = rf"{_LETTER}+(?:['\u2019\u02bc/&+#.\u00b7-]{_LETTER}+)*(?:\+\+|[+#](?!\w))?"
"""A regular expression for a word. It visits each character a bounded number of times."""

_WORD = re.compile(WORD_PATTERN)
_STEMMER = Stemmer.Stemmer("english")


def composed(text: str) -> str:
    """Returns the text in NFC, in which decomposed and composed spellings are equal."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def normalized(text: str) -> str:
    """Returns the text in the form used for comparison: NFC, with straight apostrophes."""
    return composed(text).translate(_APOSTROPHES)


_SPACES = "\u00a0\u00ad\u202f\u205f\u2060\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200C)))
_LINE_BREAKS = "\u0085\u2028\u2029"
_PLAIN_SPACES = str.maketrans(_SPACES + _LINE_BREAKS, " " * len(_SPACES) + "\n" * len(_LINE_BREAKS))


def with_plain_spaces(text: str) -> str:
    """Returns the text with a plain space or line break for each special or invisible one.

    Pasted mail and web pages contain them. The text keeps its length.
    """
    return text if text.isascii() else text.translate(_PLAIN_SPACES)


def is_word_character(character: str) -> bool:
    """Whether a character is a letter, a digit or a combining mark, which many scripts need."""
    return character.isalnum() or unicodedata.category(character).startswith("M")


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


_WINDOW = 4_096
"""How many characters are split at a time, because the cost can grow with their square."""

_LINE_END = re.compile(r"[\r\n]+[^\S\r\n]*")
_ITEM = re.compile(r"(?:[-*\u2022\u2013]\s+|\(?\d{1,3}[.)]\s+|#{1,6}\s+)")
_TITLE = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|Prof|St|No)\.\s*$|\s\.$")
_BEFORE_PRONOUN = re.compile(r"(?<=[.!?])\s+(?=(?:I|My|We|Our|He|She|It)\b)")
_FIRST_PERSON = re.compile(r"(?:i|im|my)\b")


def sentences(text: str) -> Iterable[str]:
    """Returns the sentences of a text with the white space after each; joined, they are the text.

    The end of a line also ends a sentence, unless the next line continues in lower case.
    """
    return _short_sentences(text) if len(text) <= _SHORT_TEXT else _sentences(text)


_SHORT_TEXT: Final = 500
"""Texts of up to this length are cached, because the steps of an add split the same message."""


@lru_cache(maxsize=1_024)
def _short_sentences(text: str) -> Sequence[str]:
    return tuple(_sentences(text))


def _sentences(text: str) -> Iterator[str]:
    sentence, has_text = "", False
    for part in _parts(text):
        is_space = part.isspace()
        if has_text and not is_space:
            yield sentence
            sentence, has_text = "", False
        sentence += part
        has_text |= not is_space
    if sentence:
        yield sentence


def without_marker(sentence: str) -> str:
    """Returns the sentence without markers of headings and list items."""
    marker = _ITEM.match(sentence)
    return sentence[marker.end() :] if marker else sentence


def _parts(text: str) -> Iterator[str]:
    """Yields sentences and the white space between them."""
    for paragraph in _paragraphs(text):
        pending = ""
        for part in _segments(paragraph):
            pending += part
            if not _TITLE.search(part):
                yield from _at_pronouns(pending)
                pending = ""
        yield from _at_pronouns(pending)


def _segments(paragraph: str) -> Iterator[str]:
    """Yields the sentences that the library finds; sentences longer than the window are cut."""
    position = 0
    while position < len(paragraph):
        window = paragraph[position : position + _WINDOW]
        found = list(sentencex.segment("en", window))
        if len(found) > 1 and position + len(window) < len(paragraph):
            found.pop()
        yield from found
        position += sum(map(len, found))


def _paragraphs(text: str) -> Iterator[str]:
    start = 0
    for line_end in _LINE_END.finditer(text):
        if not _continues(text, line_end):
            yield text[start : line_end.end()]
            start = line_end.end()
    if start < len(text):
        yield text[start:]


def _continues(text: str, line_end: re.Match[str]) -> bool:
    """Whether the sentence before the end of this line continues in the next one."""
    following = line_end.end()
    return (
        line_end.group().count("\n") <= 1
        and line_end.start() > 0
        and text[following : following + 1].islower()
        and not _FIRST_PERSON.match(text, following)
    )


def _at_pronouns(text: str) -> Iterator[str]:
    """Splits before a pronoun where the library saw an abbreviation, as in `with me. I ski`."""
    start = 0
    for space in _BEFORE_PRONOUN.finditer(text):
        yield text[start : space.end()]
        start = space.end()
    if start < len(text):
        yield text[start:]


_MOST_CAPITALIZED: Final = 1 / 3
"""The share of capitalized words above which capitals show no names, as in titles and German."""

_ENDS_SENTENCE: Final = re.compile(r"[.!?:][\"')\]\u2019\u201d]*$")
_SAYS_I: Final = re.compile(r"I(?:['\u2019]\w+)?\W*$")


def proper_names(question: str) -> list[str]:
    """Returns the capitalized words, except the first word of a sentence and "I"."""
    words = question.split()
    names = [
        word
        for before, word in pairwise(words)
        if word[0].isupper() and not _SAYS_I.match(word) and not _ENDS_SENTENCE.search(before)
    ]
    return names if len(names) <= _MOST_CAPITALIZED * len(words) else []


def without_names(question: str) -> str:
    """Returns the question without its proper names."""
    names = proper_names(question)
    return " ".join(word for word in question.split() if word not in names)


def digest_of(*parts: str) -> bytes:
    """Returns the SHA-256 of the parts and their lengths, so that no two sequences collide."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(f"{len(encoded)}:".encode() + encoded)
    return digest.digest()
