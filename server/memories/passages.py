"""Passages: what was told in an add with inference and became no fact.

A passage is what is left of a message once the sentences that operations rest on are taken out. It
is found and answered whole: measured on long conversations, whole messages are found better than
pieces of them (ADR 0030). A message longer than `MAX_PART_LENGTH` is cut into parts, each of which
becomes a passage.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final, TypeAlias
from uuid import UUID

from server.core.values import JsonObject, digest_of
from server.memories.conversation import Role
from server.memories.memory import ArmScore, ScoredMemory
from server.memories.scope import Scope

MAX_PART_LENGTH: Final = 8_192
"""Most characters of a passage, as of a memory."""

# A sentence ends with its white space, so that those of a text make it up again. The pattern looks
# at each character a bounded number of times.
_SENTENCE_END = re.compile(
    r"[.!?\u2026\u0964\u061f]+[\"'\u201d\u2019)\]]*\s+|[\u3002\uff01\uff1f]+\s*|\s*[\n\r]\s*"
)
_SAYS_SOMETHING = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a text: from `start` up to and without `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage as it is found. `role`, `name` and `event_time` are those of its message."""

    id: UUID
    message_id: UUID
    scope: Scope
    role: Role
    name: str | None
    text: str
    metadata: JsonObject
    event_time: datetime
    expiration_date: date | None
    create_time: datetime


@dataclass(frozen=True, slots=True)
class ScoredPassage:
    """A hit of a search, with its score from 0 to 1 and the arms that found it."""

    passage: Passage
    score: float
    arms: Sequence[ArmScore] = ()

    @property
    def id(self) -> UUID:
        """Of the passage."""
        return self.passage.id

    @property
    def text(self) -> str:
        """What was found."""
        return self.passage.text


class Source(StrEnum):
    """What a search can look at: memories, or what was told and became none."""

    MEMORIES = "memories"
    PASSAGES = "passages"


EVERY_SOURCE: Final = frozenset(Source)

Hit: TypeAlias = ScoredMemory | ScoredPassage
"""What a search finds."""


def parts_of(text: str) -> list[Span]:
    """The text cut between sentences into parts of at most `MAX_PART_LENGTH` characters.

    A single sentence that is longer is cut too.
    """
    parts: list[Span] = []
    start = 0
    for sentence in _sentences(text):
        while sentence.end - start > MAX_PART_LENGTH:
            end = sentence.start if sentence.start > start else start + MAX_PART_LENGTH
            parts.append(Span(start, end))
            start = end
    if start < len(text):
        parts.append(Span(start, len(text)))
    return parts


def spans_of(text: str, quotes: Iterable[str]) -> list[Span]:
    """Every place at which one of the quotes stands in the text."""
    return [
        Span(found.start(), found.end())
        for quote in set(quotes)
        for found in re.finditer(re.escape(quote), text)
    ]


class Coverage:
    """The parts of a message that are to be in no passage."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = _joined(spans)
        self._starts = [span.start for span in self._spans]

    def touches(self, start: int, end: int) -> bool:
        """Whether any of it lies between the two places."""
        before = bisect_left(self._starts, end)
        return before > 0 and self._spans[before - 1].end > start


def left_over(text: str, part: Span, covered: Coverage) -> tuple[str, ...]:
    """The sentences of a part of which nothing is covered, as they stand in the text.

    Those without a letter or digit are left out.
    """
    left = []
    for sentence in _sentences(text[part.start : part.end]):
        start, end = part.start + sentence.start, part.start + sentence.end
        words_end = start + len(text[start:end].rstrip())
        if covered.touches(start, words_end):
            continue
        if _SAYS_SOMETHING.search(text, start, end):
            left.append(text[start:end])
    return tuple(left)


def passage_digest(role: Role, name: str | None, content: str, part: int) -> bytes:
    """What makes two messages of a scope the same: speaker and words; of each of its parts."""
    return digest_of("passage", role, name or "", content, str(part))


def _sentences(text: str) -> Iterable[Span]:
    start = 0
    for end in _SENTENCE_END.finditer(text):
        if end.end() > start:
            yield Span(start, end.end())
            start = end.end()
    if start < len(text):
        yield Span(start, len(text))


def _joined(spans: Iterable[Span]) -> list[Span]:
    """The same places in order, without overlaps."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        if span.start == span.end:
            continue
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined
