"""The shape in which a model must answer an inference."""

from __future__ import annotations

from typing import Literal

from server.adapters.gemini.shape import Part, read_answer, schema_of
from server.domain.inference import ProposedEntity, ProposedOperation, ProposedRelation


class AnsweredEntity(Part):
    """An entity, as the model names it."""

    name: str
    type: str
    aliases: list[str] | None = None
    known: int | None = None


class AnsweredRelation(Part):
    """A relation, as the model names it."""

    source: str
    relation: str
    target: str


class AnsweredOperation(Part):
    """One change that the model proposes."""

    # In this order a model first finds the passage and then decides what follows from it.
    message: int
    quote: str
    action: Literal["ADD", "UPDATE", "DELETE", "FORGET"]
    target: int | None = None
    text: str
    categories: list[str]
    entities: list[AnsweredEntity]
    relations: list[AnsweredRelation]


class Answer(Part):
    """Everything that the model proposes."""

    operations: list[AnsweredOperation]


def answer_schema() -> dict[str, object]:
    """The JSON Schema of an answer."""
    return schema_of(Answer)


def parse_answer(text: str) -> list[ProposedOperation]:
    """The operations in a model's answer, checked for shape only.

    Raises:
        MalformedAnswer: the text is not JSON, or JSON of another shape.
    """
    return [_proposed(operation) for operation in read_answer(Answer, text).operations]


def _proposed(operation: AnsweredOperation) -> ProposedOperation:
    return ProposedOperation(
        action=operation.action,
        text=operation.text,
        message=operation.message,
        quote=operation.quote,
        target=operation.target,
        categories=tuple(operation.categories),
        entities=tuple(
            ProposedEntity(entity.name, entity.type, tuple(entity.aliases or ()), entity.known)
            for entity in operation.entities
        ),
        relations=tuple(
            ProposedRelation(relation.source, relation.relation, relation.target)
            for relation in operation.relations
        ),
    )
