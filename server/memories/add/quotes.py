"""Cleans text from an untrusted source for storage, and finds quotes in messages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from server.memories.conversation import Message

# Control characters (Cc) and lone surrogates (Cs), which cannot be encoded.
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")

# Short quotes can occur very often in a long message.
_MOST_PLACES = 100

_TYPOGRAPHIC = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4`", "'"),
        **dict.fromkeys('\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb"', '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    }
)


def clean_text(text: str) -> str:
    """Returns the text on one line, without control characters, lone surrogates or extra spaces."""
    # Nearly all text is printable, which is checked in a fraction of the time of a search.
    fit = text if text.isprintable() else _UNFIT.sub(" ", text)
    return " ".join(fit.split())


@dataclass(frozen=True, slots=True)
class Quote:
    """A piece of a message, from character `start` up to but excluding `end`."""

    message_index: int
    start: int
    end: int
    text: str

    def overlaps(self, other: Quote) -> bool:
        """Whether the quotes share a character."""
        same_message = self.message_index == other.message_index
        return same_message and self.start < other.end and other.start < self.end


class QuoteFinder:
    """Finds quotes in messages.

    Case, white space, invisible characters and the style of quotation marks are ignored.
    """

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = messages
        self._folded: dict[int, _Folded] = {}

    def find(self, message_index: int, text: str) -> Iterator[Quote]:
        """Yields the places of the message that match the text.

        Exact matches come first, then folded matches. Those of one kind do not overlap, and there
        are at most 100.
        """
        content = self._messages[message_index].content or ""
        stripped = text.strip()
        if not stripped:
            return
        for start in _places(content, stripped):
            yield Quote(message_index, start, start + len(stripped), stripped)
        if message_index not in self._folded:
            self._folded[message_index] = _Folded(content)
        for start, end in self._folded[message_index].find(stripped):
            yield Quote(message_index, start, end, content[start:end])


class _Folded:
    """A folded text that maps each folded character back to its place in the original."""

    def __init__(self, text: str) -> None:
        self._text = text
        pieces: list[str] = []
        self._origins: list[int] = []
        after_space = True
        for index, character in enumerate(text):
            piece = _fold(character)
            if not piece or (piece == " " and after_space):
                continue
            after_space = piece == " "
            pieces.append(piece)
            self._origins.extend([index] * len(piece))
        self._characters = "".join(pieces)

    def find(self, quote: str) -> Iterator[tuple[int, int]]:
        wanted = " ".join("".join(map(_fold, quote)).split())
        for place in _places(self._characters, wanted):
            start = self._origins[place]
            end = self._origins[place + len(wanted) - 1] + 1
            found = self._text[start:end]
            start += len(found) - len(found.lstrip())
            end -= len(found) - len(found.rstrip())
            if start < end:
                yield start, end


def _places(text: str, wanted: str) -> Iterator[int]:
    start = text.find(wanted) if wanted else -1
    for _ in range(_MOST_PLACES):
        if start < 0:
            return
        yield start
        start = text.find(wanted, start + len(wanted))


def _fold(character: str) -> str:
    """Folds one character for comparison; all white space becomes a single space.

    Decomposition (NFKD) makes precomposed and combining accents equal, character by character.
    Format characters (Cf) such as soft hyphens are dropped: pasted texts have them, models do not
    repeat them.
    """
    if character.isspace():
        return " "
    if not character.isprintable() and unicodedata.category(character) == "Cf":
        return ""
    folded = unicodedata.normalize("NFKD", character.translate(_TYPOGRAPHIC)).casefold()
    return " " if folded.isspace() else folded
