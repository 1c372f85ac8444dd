"""Reading the text of the one candidate that a model answers with."""

from __future__ import annotations

from google.genai import types
from google.genai.types import FinishReason

_CAUSES = {
    FinishReason.MAX_TOKENS: "truncated",
    FinishReason.CONTINUATION: "truncated",
    FinishReason.SAFETY: "blocked",
    FinishReason.RECITATION: "blocked",
    FinishReason.LANGUAGE: "blocked",
    FinishReason.BLOCKLIST: "blocked",
    FinishReason.PROHIBITED_CONTENT: "blocked",
    FinishReason.SPII: "blocked",
    FinishReason.ESCALATION: "blocked",
    FinishReason.PUP_LIMITED_DISABLED: "blocked",
    FinishReason.MODEL_ARMOR: "blocked",
}


class UnusableCompletion(ValueError):
    """There is no whole answer; `cause` is `truncated`, `blocked`, `malformed` or `empty`."""

    def __init__(self, cause: str, problem: str) -> None:
        super().__init__(problem)
        self.cause = cause


def completion_text(response: types.GenerateContentResponse) -> str:
    """What the model said, without its thoughts.

    Raises:
        UnusableCompletion: it was stopped, refused, or said nothing.
    """
    feedback = response.prompt_feedback
    if feedback and feedback.block_reason:
        raise UnusableCompletion("blocked", f"prompt: {feedback.block_reason.value}")
    if not response.candidates:
        raise UnusableCompletion("empty", "no candidates")
    candidate = response.candidates[0]
    if candidate.finish_reason != FinishReason.STOP:
        raise _stopped(candidate.finish_reason)
    parts = (candidate.content.parts if candidate.content else None) or []
    text = "".join(part.text for part in parts if part.text and not part.thought)
    if not text.strip():
        raise UnusableCompletion("empty", "no text")
    return text


def _stopped(reason: FinishReason | None) -> UnusableCompletion:
    if reason is None:
        return UnusableCompletion("malformed", "no finish reason")
    return UnusableCompletion(_CAUSES.get(reason, "malformed"), f"finish reason: {reason.value}")
