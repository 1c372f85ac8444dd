"""Text from an untrusted source: made fit to be stored, and found again in what was said."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from server.domain.conversation import Message

# Control characters (Cc) and lone surrogates (Cs): the latter are no text and cannot be encoded.
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")

_TYPOGRAPHIC = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4`", "'"),
        **dict.fromkeys('\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb"', '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    }
)


def clean_text(text: str) -> str:
    """The text on one line: no control characters or lone surrogates, single spaces."""
    return " ".join(_UNFIT.sub(" ", text).split())


class QuoteFinder:
    """Finds passages in messages, whatever their case, white space and typographic quotes."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = messages
        self._folded: dict[int, _Folded] = {}

    def find(self, message_index: int, quote: str) -> str | None:
        """The message's own characters that the quote stands for, or None if it has none such."""
        content = self._messages[message_index].content or ""
        stripped = quote.strip()
        if not stripped:
            return None
        if stripped in content:
            return stripped
        if message_index not in self._folded:
            self._folded[message_index] = _Folded(content)
        return self._folded[message_index].find(stripped)


class _Folded:
    """A text in its folded form, with the way back from each folded character."""

    def __init__(self, text: str) -> None:
        self._text = text
        pieces: list[str] = []
        self._origins: list[int] = []
        after_space = True
        for index, character in enumerate(text):
            piece = _fold(character)
            if piece == " " and after_space:
                continue
            after_space = piece == " "
            pieces.append(piece)
            self._origins.extend([index] * len(piece))
        self._characters = "".join(pieces)

    def find(self, quote: str) -> str | None:
        wanted = " ".join("".join(map(_fold, quote)).split())
        start = self._characters.find(wanted) if wanted else -1
        if start < 0:
            return None
        first = self._origins[start]
        last = self._origins[start + len(wanted) - 1]
        return self._text[first : last + 1].strip() or None


def _fold(character: str) -> str:
    """One character for comparison; every white space is a single space.

    Decomposition (NFKD) makes precomposed and combining accents equal, character by character.
    """
    if character.isspace():
        return " "
    folded = unicodedata.normalize("NFKD", character.translate(_TYPOGRAPHIC)).casefold()
    return " " if folded.isspace() else folded
