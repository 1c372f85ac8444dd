"""Inference by the real client."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from server.core.errors import ExtractionFailed
from server.memories.add.inference import (
    BUILT_IN_CATEGORIES,
    Candidate,
    InferenceRequest,
    ProposedEntity,
    ProposedOperation,
    ProposedRelation,
)
from server.memories.conversation import Message, Role
from server.models.gemini.client import GeminiClient
from server.models.gemini.language_model import GeminiLanguageModel, system_instruction
from server.models.gemini.options import GeminiOptions
from server.models.ports import LanguageModel
from tests.support import gemini_faults
from tests.support.gemini_endpoint import GeminiEndpoint
from tests.support.gemini_faults import Fault

SAID = "I live in Oslo."


def request(*messages: Message, candidates: tuple[str, ...] = ()) -> InferenceRequest:
    return InferenceRequest(
        messages=messages or (Message(Role.USER, SAID),),
        candidates=[
            Candidate(UUID(int=number), text, version=1, immutable=False)
            for number, text in enumerate(candidates)
        ],
        categories=BUILT_IN_CATEGORIES,
        event_time=datetime(2026, 11, 23, tzinfo=UTC),
    )


async def test_it_describes_itself(language_model: GeminiLanguageModel) -> None:
    port: LanguageModel = language_model

    assert port.model == "gemini/gemini-2.5-flash"


async def test_a_fact_is_proposed_with_its_evidence(language_model: GeminiLanguageModel) -> None:
    answer = await language_model.infer(
        request(Message(Role.SYSTEM, "I am a system."), Message(Role.USER, SAID, name="Ada"))
    )

    assert answer.operations == [
        ProposedOperation(
            action="ADD",
            text="Ada lives in Oslo",
            message=2,
            quote=SAID,
            target=None,
            categories=("personal_details",),
            entities=(ProposedEntity("Ada", "person"), ProposedEntity("Oslo", "place")),
            relations=(ProposedRelation("Ada", "lives_in", "Oslo"),),
        )
    ]
    assert (answer.model, answer.prompt_version) == ("gemini/gemini-2.5-flash", "infer-v5")
    assert answer.input_tokens > 0
    assert answer.output_tokens > 0


async def test_candidates_are_repeated_or_changed(language_model: GeminiLanguageModel) -> None:
    again = await language_model.infer(request(candidates=("User lives in Oslo.",)))
    moved = await language_model.infer(request(candidates=("User is 30.", "User lives in Rome.")))

    assert [(operation.action, operation.text) for operation in again.operations] == [
        ("ADD", "User lives in Oslo.")
    ]
    assert [(operation.action, operation.target) for operation in moved.operations] == [
        ("UPDATE", 2)
    ]


async def test_it_is_one_request_for_one_structured_answer(
    language_model: GeminiLanguageModel, endpoint: GeminiEndpoint
) -> None:
    await language_model.infer(request(Message(Role.USER, SAID), Message(Role.ASSISTANT, "Hei!")))

    [sent] = endpoint.requests
    assert sent.path == "/v1beta/models/gemini-2.5-flash:generateContent"
    [content] = sent.body["contents"]
    assert content["role"] == "user"
    assert [part["text"] for part in sent.body["systemInstruction"]["parts"]] == [
        system_instruction()
    ]
    config = sent.body["generationConfig"]
    assert config["temperature"] == 0
    assert config["maxOutputTokens"] == 8192
    assert config["responseMimeType"] == "application/json"
    assert config["responseJsonSchema"]["required"] == ["operations"]
    assert config["thinkingConfig"] == {"thinkingBudget": 0}


@pytest.mark.parametrize(
    ("model_name", "thinking"),
    [
        ("gemini-2.5-flash-lite", {"thinkingBudget": 0}),
        ("gemini-2.5-pro", {"thinkingBudget": 128}),
        ("gemini-3.5-flash-lite", {"thinkingLevel": "MINIMAL"}),
        ("gemini-3-pro-preview", {"thinkingLevel": "LOW"}),
        ("gemini-2.0-flash", None),
    ],
)
async def test_each_model_thinks_as_little_as_it_can(
    client: GeminiClient,
    endpoint: GeminiEndpoint,
    model_name: str,
    thinking: dict[str, Any] | None,
) -> None:
    await GeminiLanguageModel(client, GeminiOptions(language_model=model_name)).infer(request())

    assert endpoint.requests[0].body["generationConfig"].get("thinkingConfig") == thinking


async def test_thoughts_count_as_output(
    language_model: GeminiLanguageModel, endpoint: GeminiEndpoint
) -> None:
    candidate = {"content": {"parts": [{"text": '{"operations":[]}'}]}, "finishReason": "STOP"}
    usage = {"promptTokenCount": 700, "candidatesTokenCount": 20, "thoughtsTokenCount": 5}
    body = json.dumps({"candidates": [candidate], "usageMetadata": usage})
    endpoint.fail("generateContent", gemini_faults.body(body))

    answer = await language_model.infer(request())

    assert (answer.input_tokens, answer.output_tokens) == (700, 25)


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (gemini_faults.max_tokens, "truncated"),
        (gemini_faults.safety, "blocked"),
        (gemini_faults.blocked_prompt, "blocked"),
        (gemini_faults.no_candidates, "empty"),
        (gemini_faults.no_text, "empty"),
        (gemini_faults.body("{}"), "empty"),
        (gemini_faults.finished("STOP"), "malformed"),
        (gemini_faults.finished("OTHER"), "malformed"),
    ],
)
async def test_an_unusable_answer_is_an_error_and_is_not_requested_again(
    language_model: GeminiLanguageModel, endpoint: GeminiEndpoint, fault: Fault, cause: str
) -> None:
    endpoint.fail("generateContent", fault)

    with capture_logs() as logs, pytest.raises(ExtractionFailed) as caught:
        await language_model.infer(request())

    assert caught.value.metadata == {"model": "gemini/gemini-2.5-flash", "cause": cause}
    assert caught.value.problems
    assert len(endpoint.requests) == 1
    assert [(log["event"], log["cause"]) for log in logs] == [("gemini_answer.rejected", cause)]


@pytest.mark.parametrize("said", ["Sure! Here is the JSON.", {"facts": []}, {"operations": [{}]}])
async def test_an_answer_of_another_shape_is_malformed(
    language_model: GeminiLanguageModel, endpoint: GeminiEndpoint, said: Any
) -> None:
    endpoint.answer(said)

    with capture_logs(), pytest.raises(ExtractionFailed) as caught:
        await language_model.infer(request())

    assert caught.value.metadata["cause"] == "malformed"
    assert caught.value.input_tokens > 0
    assert caught.value.output_tokens > 0
