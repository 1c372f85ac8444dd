"""Reading a response depends on why the model stopped."""

from __future__ import annotations

import pytest
from google.genai import types
from google.genai.types import BlockedReason, FinishReason

from server.models.gemini.answers import Completion, UnusableCompletion, completion_text, tokens_of


def read(sent: types.GenerateContentResponse) -> Completion:
    """Returns the completion of a response in the format of the client library."""
    return Completion.model_validate_json(sent.model_dump_json(by_alias=True, exclude_none=True))


def response(
    *parts: types.Part, reason: FinishReason | None = FinishReason.STOP
) -> types.GenerateContentResponse:
    content = types.Content(role="model", parts=list(parts))
    return types.GenerateContentResponse(
        candidates=[types.Candidate(content=content, finish_reason=reason)]
    )


def test_text_is_joined_and_thoughts_are_left_out() -> None:
    parts = (types.Part(text="Hm.", thought=True), types.Part(text='{"a"'), types.Part(text=":1}"))

    assert completion_text(read(response(*parts))) == '{"a":1}'


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        (FinishReason.MAX_TOKENS, "truncated"),
        (FinishReason.CONTINUATION, "truncated"),
        (FinishReason.SAFETY, "blocked"),
        (FinishReason.PROHIBITED_CONTENT, "blocked"),
        (FinishReason.SPII, "blocked"),
        (FinishReason.OTHER, "malformed"),
        (FinishReason.MALFORMED_RESPONSE, "malformed"),
        (None, "malformed"),
    ],
)
def test_an_incomplete_text_is_not_read(reason: FinishReason | None, cause: str) -> None:
    with pytest.raises(UnusableCompletion) as caught:
        completion_text(read(response(types.Part(text='{"operations":[]}'), reason=reason)))

    assert caught.value.cause == cause


def test_a_refused_prompt_is_blocked() -> None:
    feedback = types.GenerateContentResponsePromptFeedback(block_reason=BlockedReason.SAFETY)

    with pytest.raises(UnusableCompletion, match="SAFETY") as caught:
        completion_text(read(types.GenerateContentResponse(prompt_feedback=feedback)))

    assert caught.value.cause == "blocked"


@pytest.mark.parametrize(
    "silent",
    [
        types.GenerateContentResponse(),
        types.GenerateContentResponse(candidates=[]),
        response(),
        response(types.Part(text=" \n")),
        response(types.Part(text="Hm.", thought=True)),
        types.GenerateContentResponse(
            candidates=[types.Candidate(finish_reason=FinishReason.STOP)]
        ),
    ],
)
def test_a_response_without_text_is_empty(silent: types.GenerateContentResponse) -> None:
    with pytest.raises(UnusableCompletion) as caught:
        completion_text(read(silent))

    assert caught.value.cause == "empty"


def test_thoughts_count_as_output_tokens() -> None:
    usage = types.GenerateContentResponseUsageMetadata(
        prompt_token_count=7, candidates_token_count=2, thoughts_token_count=3
    )
    assert tokens_of(read(types.GenerateContentResponse(usage_metadata=usage))) == (7, 5)
    assert tokens_of(read(types.GenerateContentResponse())) == (0, 0)
