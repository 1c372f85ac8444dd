"""Parses responses of models: the text of an answer, JSON by a schema, and vectors.

https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from server.core.values import Vector

_NOT_ESSENTIAL = frozenset({"title", "description", "default"})


class MalformedAnswer(ValueError):
    """The answer does not have the requested shape; `problems` name the places, without texts."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class Part(BaseModel):
    """An answer or a part of it, with exactly these fields and types."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


PartT = TypeVar("PartT", bound=Part)


def schema_of(shape: type[Part]) -> dict[str, object]:
    """Returns the JSON Schema of an answer."""
    return _essential(shape.model_json_schema())


def read_answer(shape: type[PartT], text: str) -> PartT:
    """Returns the answer in a model's text; only its shape is checked.

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
    """Returns the schema without titles and descriptions, which cost tokens, and without defaults,
    which Gemini does not support.

    A property with one of these names stays, because its value is a schema.
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


_STOP: Final = "STOP"
_CAUSES: Final = {
    "MAX_TOKENS": "truncated",
    "CONTINUATION": "truncated",
    "SAFETY": "blocked",
    "RECITATION": "blocked",
    "LANGUAGE": "blocked",
    "BLOCKLIST": "blocked",
    "PROHIBITED_CONTENT": "blocked",
    "SPII": "blocked",
    "ESCALATION": "blocked",
    "PUP_LIMITED_DISABLED": "blocked",
    "MODEL_ARMOR": "blocked",
}


class UnusableCompletion(ValueError):
    """The answer is not complete; `cause` is `truncated`, `blocked`, `malformed` or `empty`."""

    def __init__(self, cause: str, problem: str) -> None:
        super().__init__(problem)
        self.cause = cause


class _Read(BaseModel):
    """A part of a response. Other fields are ignored, and many are optional."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class ContentPart(_Read):
    """A part of the text, or of the thoughts."""

    text: str | None = None
    thought: bool | None = None


class Content(_Read):
    """The text of an answer, in parts."""

    parts: Sequence[ContentPart] | None = None


class Candidate(_Read):
    """One answer, and why the model stopped."""

    content: Content | None = None
    finish_reason: str | None = None


class PromptFeedback(_Read):
    """Why the prompt was refused, if it was."""

    block_reason: str | None = None


class Usage(_Read):
    """The tokens that a request used."""

    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None


class Completion(_Read):
    """A whole response."""

    candidates: Sequence[Candidate] | None = None
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: Usage | None = None


def tokens_of(completion: Completion) -> tuple[int, int]:
    """Returns the numbers of input and output tokens; thoughts count as output."""
    usage = completion.usage_metadata or Usage()
    written = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
    return usage.prompt_token_count or 0, written


def completion_text(completion: Completion) -> str:
    """Returns the text of the answer, without the model's thoughts.

    Raises:
        UnusableCompletion: the answer was stopped, refused or empty.
    """
    feedback = completion.prompt_feedback
    if feedback and feedback.block_reason:
        raise UnusableCompletion("blocked", f"prompt: {feedback.block_reason}")
    if not completion.candidates:
        raise UnusableCompletion("empty", "no candidates")
    candidate = completion.candidates[0]
    if candidate.finish_reason != _STOP:
        raise _stopped(candidate.finish_reason)
    parts = (candidate.content.parts if candidate.content else None) or []
    text = "".join(part.text for part in parts if part.text and not part.thought)
    if not text.strip():
        raise UnusableCompletion("empty", "no text")
    return text


def _stopped(reason: str | None) -> UnusableCompletion:
    if reason is None:
        return UnusableCompletion("malformed", "no finish reason")
    return UnusableCompletion(_CAUSES.get(reason, "malformed"), f"finish reason: {reason}")


class InvalidEmbeddings(ValueError):
    """The vectors cannot be used; the message gives the reason, without texts."""


def read_embeddings(text: str) -> list[Sequence[float]]:
    """Returns the vectors in a response; only its shape is checked.

    https://ai.google.dev/api/embeddings#response-body_1

    Raises:
        ValueError, TypeError: the text is not JSON, or JSON of another shape.
    """
    # Checking thousands of numbers with pydantic takes half as long again.
    embeddings = dict(orjson.loads(text)).get("embeddings", ())
    return [array("d", dict(embedding).get("values", ())) for embedding in embeddings]


def unit_vectors(rows: Sequence[Sequence[float]], *, count: int, dimensions: int) -> list[Vector]:
    """Returns the rows, scaled to length 1 (L2), in single precision.

    Raises:
        InvalidEmbeddings: there are not `count` rows of `dimensions` finite numbers, or one of them
            has no direction.
    """
    if len(rows) != count:
        raise InvalidEmbeddings(f"{len(rows)} embeddings for {count} texts")
    if wrong := {len(row) for row in rows} - {dimensions}:
        raise InvalidEmbeddings(f"embeddings of {sorted(wrong)} dimensions, not {dimensions}")
    with np.errstate(over="ignore"):
        return [_unit_vector(np.asarray(row, dtype=np.float64)) for row in rows]


def _unit_vector(row: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Vector:
    norm = math.sqrt(row.dot(row))
    if not math.isfinite(norm):
        raise InvalidEmbeddings("an embedding that is not finite")
    if not norm:
        raise InvalidEmbeddings("an embedding of zeros")
    return _vector((row / norm).astype(np.float32))


def mean_direction(one: Vector, other: Vector) -> Vector:
    """Returns the unit vector halfway between two; the first if they are opposite."""
    total = np.frombuffer(one, dtype=np.float32) + np.frombuffer(other, dtype=np.float32)
    norm = np.linalg.norm(total)
    return _vector(total / norm) if norm else one


def _vector(row: np.ndarray[tuple[int], np.dtype[np.float32]]) -> Vector:
    return array("f", row.tobytes())
