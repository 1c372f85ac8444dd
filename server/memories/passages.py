"""Passages: text of an inferred add that became no fact.

A passage is a message without the sentences that are evidence of operations. It is searched and
returned as a whole: measured on long conversations, whole messages are found better than parts of
them (ADR 0030). A message longer than `MAX_PART_LENGTH` is split into parts, each of which becomes
a passage.

Messages are also cut into the texts whose nearest memories are shown to the model.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from itertools import pairwise
from typing import Final
from uuid import UUID

from server.core.text import digest_of, sentences
from server.core.values import JsonObject
from server.memories.conversation import Message, Role, is_small_talk
from server.memories.memory import ArmScore, Memory, embedded_text
from server.memories.scope import Scope

MAX_PART_LENGTH: Final = 8_192
"""The maximum length of a passage, in characters; the same as for a memory."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a text, from `start` up to but excluding `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage in a search. `role`, `name` and `event_time` come from its message."""

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
class Hit:
    """A memory or a passage that a search found: its score from 0 to 1, and the arms."""

    found: Memory | Passage
    score: float
    arms: Sequence[ArmScore] = ()

    @property
    def id(self) -> UUID:
        """The id of the memory or passage."""
        return self.found.id

    @property
    def text(self) -> str:
        """The text of the memory or passage."""
        return self.found.text


class Source(StrEnum):
    """What a search covers: memories or passages."""

    MEMORIES = "memories"
    PASSAGES = "passages"


EVERY_SOURCE: Final = frozenset(Source)


def parts_of(text: str) -> list[Span]:
    """Splits the text between sentences into parts of at most `MAX_PART_LENGTH` characters.

    Longer sentences are split too.
    """
    if len(text) <= MAX_PART_LENGTH:
        return [Span(0, len(text))] if text else []
    parts: list[Span] = []
    start = end = 0
    for sentence in sentences(text):
        begin, end = end, end + len(sentence)
        while end - start > MAX_PART_LENGTH:
            cut = begin if begin > start else start + MAX_PART_LENGTH
            parts.append(Span(start, cut))
            start = cut
    if start < len(text):
        parts.append(Span(start, len(text)))
    return parts


def spans_of(text: str, quotes: Iterable[str]) -> list[Span]:
    """Returns all occurrences of the quotes in the text; those of one quote do not overlap."""
    return [span for quote in set(quotes) if quote for span in _occurrences(text, quote)]


def _occurrences(text: str, quote: str) -> Iterator[Span]:
    start = text.find(quote)
    while start >= 0:
        end = start + len(quote)
        yield Span(start, end)
        start = text.find(quote, end)


class Coverage:
    """The parts of a message that must not be in any passage."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = _joined(spans)
        self._starts = [span.start for span in self._spans]

    def touches(self, start: int, end: int) -> bool:
        """Whether a covered part lies between the two offsets."""
        before = bisect_left(self._starts, end)
        return before > 0 and self._spans[before - 1].end > start


def left_over(text: str, part: Span, covered: Coverage) -> tuple[str, ...]:
    """Returns the sentences of a part that are not covered at all, verbatim.

    Greetings, thanks, fillers and sentences without words are left out.
    """
    left = []
    start = part.start
    for sentence in sentences(text[part.start : part.end]):
        words_end = start + len(sentence.rstrip())
        if not (covered.touches(start, words_end) or is_small_talk(sentence)):
            left.append(sentence)
        start += len(sentence)
    return tuple(left)


def passage_digest(role: Role, name: str | None, content: str, part: int) -> bytes:
    """Returns a digest that is equal for one part of messages with the same speaker and text."""
    return digest_of("passage", role, name or "", content, str(part))


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Returns the spans in order, with overlaps merged."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        if span.start == span.end:
            continue
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


MOST_PARTS: Final = 8
"""The maximum number of parts of messages; each is compared with all memories of the scope."""


def compared_texts(messages: Sequence[Message], *, by_sentence: bool) -> list[str]:
    """Returns the texts whose nearest memories are shown to the model: at least one per message.

    With `by_sentence` messages are cut into sentences, or into groups of them where there are more
    than `MOST_PARTS` in all. System messages are not compared.
    """
    compared = [message for message in messages if message.role is not Role.SYSTEM]
    most = MOST_PARTS // max(1, len(compared)) if by_sentence else 1
    return [
        embedded_text(part, message.name)
        for message in compared
        for part in _parts(message.content or "", most)
    ]


def _parts(text: str, most: int) -> Iterable[str]:
    """Returns the text in at most `most` parts, each with about as many sentences."""
    if most <= 1:
        return [text]
    found = list(sentences(text)) or [text]
    count = min(most, len(found))
    ends = [len(found) * number // count for number in range(count + 1)]
    parts = ["".join(found[start:end]).strip() for start, end in pairwise(ends)]
    return [part for part in parts if part] or [text]
