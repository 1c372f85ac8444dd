"""Reading the response to a generateContent request: the text of its one candidate, and its cost.

https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

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
    """There is no whole answer; `cause` is `truncated`, `blocked`, `malformed` or `empty`."""

    def __init__(self, cause: str, problem: str) -> None:
        super().__init__(problem)
        self.cause = cause


class _Read(BaseModel):
    """A part of a response. What it does not name is left unread; so many fields are optional."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class ContentPart(_Read):
    """A piece of what the model said, or of its thoughts."""

    text: str | None = None
    thought: bool | None = None


class Content(_Read):
    """What the model said."""

    parts: Sequence[ContentPart] | None = None


class Candidate(_Read):
    """One answer, and why it ends where it does."""

    content: Content | None = None
    finish_reason: str | None = None


class PromptFeedback(_Read):
    """Why the prompt was refused, if it was."""

    block_reason: str | None = None


class Usage(_Read):
    """What the request cost."""

    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None


class Completion(_Read):
    """A whole response."""

    candidates: Sequence[Candidate] | None = None
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: Usage | None = None


def tokens_of(completion: Completion) -> tuple[int, int]:
    """How many tokens the model read and wrote; its thoughts are among the latter."""
    usage = completion.usage_metadata or Usage()
    written = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
    return usage.prompt_token_count or 0, written


def completion_text(completion: Completion) -> str:
    """What the model said, without its thoughts.

    Raises:
        UnusableCompletion: it was stopped, refused, or said nothing.
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
