"""Taking the passages of erased memories out of messages that other memories rest on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

BLANK = "[erased]"
# A shorter passage is found in messages that have nothing to do with the memory. In the messages
# that the memory came from, every passage counts.
MIN_REPEATED_LENGTH = 12

_Span: TypeAlias = tuple[int, int]


def redacted(content: str, erased: Iterable[str], kept: Sequence[str]) -> tuple[str, bool]:
    """The message without the erased passages, and whether one had to stay.

    `kept` are the passages that other memories rest on, "" for the whole message. An erased passage
    that overlaps with one of them stays. The longest are taken out first, so that one inside of
    another leaves no rest of it.
    """
    protected = [span for passage in kept for span in _occurrences(content, passage)]
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
    if not passage:
        yield 0, len(content)
        return
    start = content.find(passage)
    while start >= 0:
        yield start, start + len(passage)
        start = content.find(passage, start + 1)


def _overlap(one: _Span, other: _Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _blanked(content: str, blanks: Sequence[_Span]) -> str:
    for start, end in sorted(blanks, reverse=True):
        content = content[:start] + BLANK + content[end:]
    return content
