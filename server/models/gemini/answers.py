"""Parses responses of language models: the text of an answer, and JSON by a schema.

https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

_NOT_ESSENTIAL = frozenset({"title", "description", "default"})


class MalformedAnswer(ValueError):
    """The answer does not have the requested shape; `problems` name the places, without texts."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class AnswerShape(BaseModel):
    """An answer or a part of it, with exactly these fields and types."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


ShapeT = TypeVar("ShapeT", bound=AnswerShape)


def schema_of(shape: type[AnswerShape]) -> dict[str, object]:
    """Returns the JSON Schema of an answer."""
    return _essential(shape.model_json_schema())


def read_answer(shape: type[ShapeT], text: str) -> ShapeT:
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


class _ResponsePart(BaseModel):
    """A part of a response. Other fields are ignored, and many are optional."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class ContentPart(_ResponsePart):
    """A part of the text, or of the thoughts."""

    text: str | None = None
    thought: bool | None = None


class Content(_ResponsePart):
    """The text of an answer, in parts."""

    parts: Sequence[ContentPart] | None = None


class Candidate(_ResponsePart):
    """One answer, and why the model stopped."""

    content: Content | None = None
    finish_reason: str | None = None


class PromptFeedback(_ResponsePart):
    """Why the prompt was refused, if it was."""

    block_reason: str | None = None


class Usage(_ResponsePart):
    """The tokens that a request used."""

    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None


class Completion(_ResponsePart):
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
