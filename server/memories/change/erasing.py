"""Removes the passages of erased memories from messages that other memories rest on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

BLANK = "[erased]"
# Shorter passages also occur in messages that have nothing to do with the memory. In the messages
# that the memory came from, passages of any length are removed.
MIN_REPEATED_LENGTH = 12

# The end of a sentence is ignored, because a repetition of it may continue instead.
SENTENCE_ENDS: Final = " \t\r\n.!?…。！？"  # noqa: RUF001 - full-width signs of other scripts

_Span: TypeAlias = tuple[int, int]


def phrase_of(passage: str) -> str:
    """Returns the passage without the end of its sentence, as needed to find repetitions."""
    return passage.strip().rstrip(SENTENCE_ENDS) or passage


def redacted(content: str, erased: Iterable[str], kept: Sequence[str]) -> tuple[str, bool]:
    """Returns the message without the erased passages, and whether one had to stay.

    `kept` are the passages that other memories rest on, "" for the whole message. Erased passages
    are found regardless of case; one that overlaps a kept passage stays. The longest are removed
    first, so that a passage inside a longer one leaves no remainder of it.
    """
    protected = [
        span
        for passage in kept
        for span in (_occurrences(content, passage) if passage else [(0, len(content))])
    ]
    blanks: list[_Span] = []
    retained = False
    for passage in sorted(set(erased) - {""}, key=len, reverse=True):
        for span in _occurrences(content, passage):
            if any(_overlap(span, other) for other in protected):
                retained = True
            elif not any(_overlap(span, other) for other in blanks):
                blanks.append(span)
    return _blanked(content, blanks), retained


def _occurrences(content: str, passage: str) -> Iterator[_Span]:
    # A lookahead, so that overlapping occurrences are all found.
    for found in re.finditer(f"(?=({re.escape(passage)}))", content, re.IGNORECASE):
        yield found.span(1)


def _overlap(one: _Span, other: _Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _blanked(content: str, blanks: Sequence[_Span]) -> str:
    for start, end in sorted(blanks, reverse=True):
        content = content[:start] + BLANK + content[end:]
    return content
