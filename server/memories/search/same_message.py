"""Hits of one message: the memories that were made of it, and the passage of what is left.

They tell of the same. One of them says already that the message is worth reading, so the others
make room for what other messages say.

ADR 0056 and 0058 say what was measured.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias
from uuid import UUID

REPEATED: Final = 0.4
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


def lower_repeated(scores: list[float], messages: Iterable[Message]) -> None:
    """Lowers the scores of all hits of a message but the best one."""
    for message in messages:
        best = max(message, key=lambda number: scores[number])
        for number in message:
            if number != best:
                scores[number] *= REPEATED
