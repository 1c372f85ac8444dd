"""What an add with inference keeps beside its memories."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from server.application.change_sets import Occasion
from server.domain.conversation import Message, Role
from server.domain.identifiers import new_id
from server.domain.others_text import find_others_text
from server.domain.passages import Coverage, Span, left_over, parts_of, passage_digest, spans_of
from server.domain.planning import Plan
from server.domain.values import Vector
from server.ports.memory_store import NewPassage, NewPassages


@dataclass(frozen=True, slots=True)
class MessagePart:
    """A part of a message that may become a passage; most messages are one part."""

    message_index: int
    number: int
    span: Span
    text: str


def message_parts(messages: Sequence[Message]) -> list[MessagePart]:
    """The parts of all messages but those of the system."""
    return [
        MessagePart(index, number, span, content[span.start : span.end])
        for index, message in enumerate(messages)
        if message.role is not Role.SYSTEM and (content := message.content or "")
        for number, span in enumerate(parts_of(content))
    ]


@dataclass(frozen=True, slots=True)
class LeftOver:
    """What is left of a part."""

    part: MessagePart
    sentences: Sequence[str]

    @property
    def text(self) -> str:
        """The text of the passage."""
        return "".join(self.sentences).strip()

    @property
    def is_changed(self) -> bool:
        """Whether it is something, and less than the whole part."""
        return bool(self.sentences) and self.text != self.part.text.strip()


def left_overs(
    messages: Sequence[Message], parts: Sequence[MessagePart], plan: Plan
) -> list[LeftOver]:
    """What the plan rests on in no way, and is the speaker's own, of each part."""
    quotes: dict[int, list[str]] = defaultdict(list)
    for passage in (*plan.evidence, *plan.forget_requests):
        quotes[passage.message_index].append(passage.text)
    contents = {part.message_index: messages[part.message_index].content or "" for part in parts}
    covered = {
        index: Coverage(
            [
                *spans_of(content, quotes[index]),
                *(Span(others.start, others.end) for others in find_others_text(content)),
            ]
        )
        for index, content in contents.items()
    }
    return [
        LeftOver(
            part, left_over(contents[part.message_index], part.span, covered[part.message_index])
        )
        for part in parts
    ]


def new_passages(
    occasion: Occasion, left: Sequence[LeftOver], vectors: Mapping[str, Vector]
) -> NewPassages:
    """The passages of a call; `vectors` are those of the parts and of what is left, by text.

    A text that has none is compared by the vector of its part.
    """
    command = occasion.command
    passages: dict[bytes, NewPassage] = {}
    for rest in left:
        message = occasion.messages[rest.part.message_index]
        digest = passage_digest(message.role, message.name, message.content, rest.part.number)
        passages[digest] = NewPassage(
            ordinal=message.ordinal,
            passage_id=new_id(occasion.call.time),
            message_id=message.id,
            role=message.role,
            name=message.name,
            digest=digest,
            sentences=rest.sentences,
            embedding=vectors.get(rest.text) or vectors[rest.part.text],
        )
    return NewPassages(list(passages.values()), command.metadata, command.expiration_date)
