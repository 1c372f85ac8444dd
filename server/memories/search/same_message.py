"""Adjusts the scores of hits from one message: its memories, and the passage of the rest.

A single hit is enough to find the message, so the others are lowered to make room for other
messages. ADR 0056 and 0058 have the measurements.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias
from uuid import UUID

REPEATED: Final = 0.4
"""The share of its score that a hit keeps if its message has a better hit."""

Message: TypeAlias = Sequence[int]
"""The numbers of two or more hits of one message."""


def messages_of(hits: Iterable[UUID | None]) -> list[Message]:
    """Returns groups of hits from one message, as the numbers of the hits.

    `hits` are the ids of their messages, None if unknown.
    """
    numbers: dict[UUID | None, list[int]] = defaultdict(list)
    for number, message_id in enumerate(hits):
        numbers[message_id].append(number)
    return [found for id_, found in numbers.items() if id_ is not None and len(found) > 1]


def lower_repeated(scores: list[float], messages: Iterable[Message]) -> None:
    """Lowers the scores of all hits of a message except the best."""
    for message in messages:
        best = max(message, key=lambda number: scores[number])
        for number in message:
            if number != best:
                scores[number] *= REPEATED
