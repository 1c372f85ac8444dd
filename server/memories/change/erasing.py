"""Taking the passages of erased memories out of messages that other memories rest on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

BLANK = "[erased]"
# A shorter passage is found in messages that have nothing to do with the memory. In the messages
# that the memory came from, every passage counts.
MIN_REPEATED_LENGTH = 12

# What ends a sentence is not what it says: a repetition may go on instead.
SENTENCE_ENDS: Final = " \t\r\n.!?…。！？"  # noqa: RUF001 - full-width signs of other scripts

_Span: TypeAlias = tuple[int, int]


def phrase_of(passage: str) -> str:
    """The passage as its repetitions are looked for: without the end of the sentence."""
    return passage.strip().rstrip(SENTENCE_ENDS) or passage


def redacted(content: str, erased: Iterable[str], kept: Sequence[str]) -> tuple[str, bool]:
    """The message without the erased passages, and whether one had to stay.

    `kept` are the passages that other memories rest on, "" for the whole message. An erased passage
    is found in upper and lower case; where it overlaps with one that is kept, it stays. The longest
    are taken out first, so that one inside of another leaves no rest of it.
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
    # Looking ahead, so that occurrences which overlap are all found.
    for found in re.finditer(f"(?=({re.escape(passage)}))", content, re.IGNORECASE):
        yield found.span(1)


def _overlap(one: _Span, other: _Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _blanked(content: str, blanks: Sequence[_Span]) -> str:
    for start, end in sorted(blanks, reverse=True):
        content = content[:start] + BLANK + content[end:]
    return content
