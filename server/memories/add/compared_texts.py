"""The texts that are compared with memories, to find the memories that messages change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from server.core.text import sentences
from server.memories.conversation import Message, Role
from server.memories.memory import embedded_text

MOST_PARTS: Final = 8
"""The most parts into which messages are cut; each costs a look at all memories of the scope."""


def compared_texts(messages: Sequence[Message], *, by_sentence: bool) -> list[str]:
    """The texts whose nearest memories are shown to the model: at least one of each message.

    With `by_sentence` messages are cut into sentences, or into groups of them where there are more
    than `MOST_PARTS` in all. System messages are not compared.
    """
    said = [message for message in messages if message.role is not Role.SYSTEM]
    most = MOST_PARTS // max(1, len(said)) if by_sentence else 1
    return [
        embedded_text(part, message.name)
        for message in said
        for part in _parts(message.content or "", most)
    ]


def _parts(text: str, most: int) -> Iterable[str]:
    """The text in at most so many parts of about as many sentences each."""
    if most <= 1:
        return [text]
    found = list(sentences(text)) or [text]
    count = min(most, len(found))
    ends = [len(found) * number // count for number in range(count + 1)]
    parts = ["".join(found[start:end]).strip() for start, end in pairwise(ends)]
    return [part for part in parts if part] or [text]
