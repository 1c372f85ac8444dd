"""Hits of one message: the memories that were made of it, and the passage of what is left.

They tell of the same, so what the best of them shares with the question in words counts for the
others too: a fact is often asked about in words that stand beside it. And one of them says already
that the message is worth reading, so the others make room for what other messages say.

ADR 0056 says what was measured.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias
from uuid import UUID

SHARED_WORDS: Final = 0.5
"""How far the lexical score of a hit comes up to the best one of its message."""

REPEATED: Final = 0.6
"""The part of its score that is left to a hit of a message of which a better one was found."""

Message: TypeAlias = Sequence[int]
"""The numbers of the hits of one message, two or more."""


def messages_of(hits: Iterable[UUID | None]) -> list[Message]:
    """Returns which hits come from one message, as the numbers of the hits.

    `hits` are the ids of their messages; of what has none, nothing is known.
    """
    numbers: dict[UUID | None, list[int]] = defaultdict(list)
    for number, message_id in enumerate(hits):
        numbers[message_id].append(number)
    return [found for id_, found in numbers.items() if id_ is not None and len(found) > 1]


def share_words(lexical: list[float], messages: Iterable[Message]) -> None:
    """Brings the lexical scores of each message's hits closer to the best of them."""
    for message in messages:
        best = max([lexical[number] for number in message])
        for number in message:
            lexical[number] += SHARED_WORDS * (best - lexical[number])


def lower_repeated(scores: list[float], messages: Iterable[Message]) -> None:
    """Lowers the scores of all hits of a message but the best one."""
    for message in messages:
        best = max(message, key=lambda number: scores[number])
        for number in message:
            if number != best:
                scores[number] *= REPEATED
