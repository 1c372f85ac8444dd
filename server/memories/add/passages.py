"""The passages that an inferred add stores along with its memories."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from server.core.values import Vector, new_id
from server.memories.add.change_sets import AddContext
from server.memories.add.others_text import find_others_text
from server.memories.add.plan import Plan
from server.memories.conversation import Message, Role
from server.memories.memory import embedded_text
from server.memories.passages import Coverage, Span, left_over, parts_of, passage_digest, spans_of
from server.memories.ports import NewPassage, NewPassages


@dataclass(frozen=True, slots=True)
class MessagePart:
    """A part of a message that may become a passage; most messages are one part.

    `text` is the text to embed.
    """

    message_index: int
    number: int
    span: Span
    text: str


def message_parts(messages: Sequence[Message]) -> list[MessagePart]:
    """Returns the parts of all messages except system messages."""
    return [
        MessagePart(
            index, number, span, embedded_text(content[span.start : span.end], message.name)
        )
        for index, message in enumerate(messages)
        if message.role is not Role.SYSTEM and (content := message.content or "")
        for number, span in enumerate(parts_of(content))
    ]


def new_passages(
    add: AddContext, parts: Sequence[MessagePart], vectors: Sequence[Vector], plan: Plan
) -> NewPassages:
    """Returns what the plan leaves of the parts as passages; `vectors` are those of the parts."""
    command, messages = add.command, add.messages
    quotes: dict[int, list[str]] = defaultdict(list)
    for passage in (*plan.evidence, *plan.forget_requests):
        quotes[passage.message_index].append(passage.text)
    covered = {
        index: Coverage(
            [
                *spans_of(message.content, quotes[index]),
                *(Span(others.start, others.end) for others in find_others_text(message.content)),
            ]
        )
        for index, message in enumerate(messages)
    }
    passages: dict[bytes, NewPassage] = {}
    for part, vector in zip(parts, vectors, strict=True):
        message = messages[part.message_index]
        digest = passage_digest(message.role, message.name, message.content, part.number)
        passages[digest] = NewPassage(
            ordinal=message.ordinal,
            passage_id=new_id(add.call.time),
            message_id=message.id,
            role=message.role,
            name=message.name,
            digest=digest,
            sentences=left_over(message.content, part.span, covered[part.message_index]),
            embedding=vector,
        )
    return NewPassages(list(passages.values()), command.metadata, command.expiration_date)
