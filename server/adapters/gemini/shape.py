"""Answers by a JSON schema: the schema that a model is given, and the strict reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

_NOT_ESSENTIAL = frozenset({"title", "description", "default"})


class MalformedAnswer(ValueError):
    """The answer is not of the shape asked for; `problems` name the places, without its text."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class Part(BaseModel):
    """A part of an answer, or all of it: nothing but its fields, each of its very type."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


PartT = TypeVar("PartT", bound=Part)


def schema_of(shape: type[Part]) -> dict[str, object]:
    """The JSON Schema of an answer."""
    return _essential(shape.model_json_schema())


def read_answer(shape: type[PartT], text: str) -> PartT:
    """The answer in a model's text, checked for shape only.

    Raises:
        MalformedAnswer: the text is not JSON, or JSON of another shape.
    """
    try:
        return shape.model_validate_json(text)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in entry['loc']) or 'answer'}: {entry['type']}"
            for entry in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        raise MalformedAnswer(problems) from None


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
