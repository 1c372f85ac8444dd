"""Asks Gemini models for one task each: instructions, data, and an answer by a schema."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Final

import orjson

from server.core.request_context import parked
from server.core.values import JsonObject
from server.models.gemini.answers import Completion, tokens_of
from server.models.gemini.client import GENERATE_CONTENT, GeminiClient, ModelRequest, model_span
from server.models.gemini.options import GeminiOptions
from server.telemetry.recording import record_tokens

_METHOD = "generateContent"

# The minimum of thinking that each family of models allows, because thinking costs time and tokens,
# and can truncate the output. Other families use their default.
_LEAST_THINKING: tuple[tuple[re.Pattern[str], Mapping[str, object]], ...] = (
    (re.compile(r"gemini-2\.5-flash"), {"thinkingBudget": 0}),
    (re.compile(r"gemini-2\.5-pro"), {"thinkingBudget": 128}),
    (re.compile(r"gemini-3(\.\d+)?-flash"), {"thinkingLevel": "MINIMAL"}),
    (re.compile(r"gemini-3(\.\d+)?-pro"), {"thinkingLevel": "LOW"}),
)

_BEGIN: Final = "<data>"
_END: Final = "</data>"


@dataclass(frozen=True, slots=True)
class Task:
    """Instructions for a model, and the schema of its answer."""

    rules: str
    schema: dict[str, object]
    max_output_tokens: int


class StructuredModel:
    """A language model for one task."""

    def __init__(self, client: GeminiClient, task: Task, options: GeminiOptions) -> None:
        self._client = client
        self._model_name = options.language_model
        self._timeout = options.timeout
        # The part that is the same in all requests.
        self._frame = _frame(task, options.language_model)

    @property
    def name(self) -> str:
        """The model's name with its provider."""
        return f"gemini/{self._model_name}"

    async def ask(self, material: str) -> Completion:
        """Returns the model's response, unchecked. The calling request is parked in the meantime.

        Raises:
            ModelUnavailable: the provider is unreachable or returns errors.
            ModelQuotaExhausted: the provider's quota is used up.
            DeadlineExceeded: the call's time is up.
        """
        contents = [{"role": "user", "parts": [{"text": material}]}]
        request = ModelRequest(
            self._model_name,
            _METHOD,
            {"contents": contents, **self._frame},
            Completion.model_validate_json,
            GENERATE_CONTENT,
            self._timeout,
        )
        async with parked():
            with model_span(GENERATE_CONTENT, self._model_name):
                completion = await self._client.call(request)
                record_tokens(self.name, *tokens_of(completion))
        return completion


def _frame(task: Task, model_name: str) -> Mapping[str, object]:
    """Returns the constant part: https://ai.google.dev/api/generate-content#request-body."""
    configuration: dict[str, object] = {
        "temperature": 0,
        "candidateCount": 1,
        "maxOutputTokens": task.max_output_tokens,
        "responseMimeType": "application/json",
        "responseJsonSchema": task.schema,
    }
    for family, thinking in _LEAST_THINKING:
        if family.match(model_name):
            configuration["thinkingConfig"] = thinking
            break
    return {
        "systemInstruction": {"parts": [{"text": task.rules}]},
        "generationConfig": configuration,
    }


def rules(version: str) -> str:
    """Returns the instructions with this name and version."""
    prompts = resources.files("server.models.gemini") / "prompts"
    return (prompts / f"{version}.txt").read_text(encoding="utf-8").strip()


def as_data(data: JsonObject) -> str:
    """Returns the data as JSON, between two marks that cannot occur in it."""
    text = orjson.dumps(data).decode()
    unmarked = text.replace("<", "\\u003c")
    return f"{_BEGIN}\n{unmarked}\n{_END}"


def numbered(entries: Sequence[JsonObject]) -> list[JsonObject]:
    """Returns the entries numbered from 1; a model refers to them only by these numbers."""
    return [{"number": number, **entry} for number, entry in enumerate(entries, start=1)]
