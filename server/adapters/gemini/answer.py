"""The shape in which a model must answer: its schema, and its strict reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from server.domain.inference import ProposedEntity, ProposedOperation, ProposedRelation

_NOT_ESSENTIAL = frozenset({"title", "description", "default"})


class MalformedAnswer(ValueError):
    """The answer is not of the shape asked for; `problems` name the places, without its text."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class AnsweredEntity(_Part):
    """An entity, as the model names it."""

    name: str
    type: str
    aliases: list[str] | None = None
    known: int | None = None


class AnsweredRelation(_Part):
    """A relation, as the model names it."""

    source: str
    relation: str
    target: str


class AnsweredOperation(_Part):
    """One change that the model proposes."""

    # In this order a model first finds the passage and then decides what follows from it.
    message: int
    quote: str
    action: Literal["ADD", "UPDATE", "DELETE"]
    target: int | None = None
    text: str
    categories: list[str]
    entities: list[AnsweredEntity]
    relations: list[AnsweredRelation]


class Answer(_Part):
    """Everything that the model proposes."""

    operations: list[AnsweredOperation]


def answer_schema() -> dict[str, object]:
    """The JSON Schema of an answer."""
    return _essential(Answer.model_json_schema())


def parse_answer(text: str) -> list[ProposedOperation]:
    """The operations in a model's answer, checked for shape only.

    Raises:
        MalformedAnswer: the text is not JSON, or JSON of another shape.
    """
    try:
        answer = Answer.model_validate_json(text)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in entry['loc']) or 'answer'}: {entry['type']}"
            for entry in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        raise MalformedAnswer(problems) from None
    return [_proposed(operation) for operation in answer.operations]


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


def _essential(schema: Mapping[str, object]) -> dict[str, object]:
    """The schema without pydantic's titles and descriptions, which cost tokens, and its defaults,
    which Gemini does not know.

    A property may bear one of these names; its value is then a schema, and stays.
    """
    return {
        key: _essential_value(value)
        for key, value in schema.items()
        if key not in _NOT_ESSENTIAL or isinstance(value, Mapping)
    }


def _essential_value(value: object) -> object:
    if isinstance(value, Mapping):
        return _essential(value)
    if isinstance(value, list):
        return [_essential_value(entry) for entry in value]
    return value
