"""Asking a Gemini model one question that it answers by a JSON schema."""

from __future__ import annotations

import re
from dataclasses import dataclass

from google.genai import types
from google.genai.models import AsyncModels

from server.adapters.gemini.client import GeminiClient
from server.adapters.gemini.model_spans import GENERATE_CONTENT, model_span
from server.telemetry.recording import record_tokens

# The least thinking that each family of models allows: it costs time and tokens, and output cut off
# by it is lost. A family that is not listed decides for itself.
_LEAST_THINKING = (
    (re.compile(r"gemini-2\.5-flash"), types.ThinkingConfig(thinking_budget=0)),
    (re.compile(r"gemini-2\.5-pro"), types.ThinkingConfig(thinking_budget=128)),
    (
        re.compile(r"gemini-3(\.\d+)?-flash"),
        types.ThinkingConfig(thinking_level=types.ThinkingLevel.MINIMAL),
    ),
    (
        re.compile(r"gemini-3(\.\d+)?-pro"),
        types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW),
    ),
)


@dataclass(frozen=True, slots=True)
class Task:
    """What a model is to do, and how it must answer."""

    rules: str
    schema: dict[str, object]
    max_output_tokens: int


class StructuredModel:
    """One model with one task. `timeout` is what an attempt may take, in seconds."""

    def __init__(
        self, client: GeminiClient, task: Task, *, model_name: str, timeout: float
    ) -> None:
        self._client = client
        self._model_name = model_name
        self._timeout = timeout
        self._config = types.GenerateContentConfig(
            system_instruction=task.rules,
            temperature=0,
            candidate_count=1,
            max_output_tokens=task.max_output_tokens,
            response_mime_type="application/json",
            response_json_schema=task.schema,
            thinking_config=_thinking(model_name),
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            # A continued answer would be a second call.
            automatic_continuation=False,
        )

    @property
    def name(self) -> str:
        """The model's name with its provider."""
        return f"gemini/{self._model_name}"

    async def ask(self, material: str) -> types.GenerateContentResponse:
        """The model's response, unchecked.

        Raises:
            ModelUnavailable: the provider is away or answers with faults.
            ModelQuotaExhausted: the provider's quota is used up.
            DeadlineExceeded: the call's time is up.
        """
        content = types.Content(role="user", parts=[types.Part(text=material)])

        async def send(
            models: AsyncModels, http_options: types.HttpOptions
        ) -> types.GenerateContentResponse:
            config = self._config.model_copy(update={"http_options": http_options})
            return await models.generate_content(
                model=self._model_name, contents=[content], config=config
            )

        with model_span(GENERATE_CONTENT, self._model_name):
            response = await self._client.call(self.name, GENERATE_CONTENT, self._timeout, send)
            record_tokens(self.name, *tokens_of(response))
        return response


def tokens_of(response: types.GenerateContentResponse) -> tuple[int, int]:
    """How many tokens the model read and wrote; its thoughts are among the latter."""
    usage = response.usage_metadata or types.GenerateContentResponseUsageMetadata()
    written = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
    return usage.prompt_token_count or 0, written


def _thinking(model_name: str) -> types.ThinkingConfig | None:
    return next((config for name, config in _LEAST_THINKING if name.match(model_name)), None)
