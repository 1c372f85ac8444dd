"""Inference by one structured-output call to the Gemini API."""

from __future__ import annotations

import re
from collections.abc import Sequence

import structlog
from google.genai import types
from google.genai.models import AsyncModels

from server.adapters.gemini.answer import MalformedAnswer, answer_schema, parse_answer
from server.adapters.gemini.client import GeminiClient
from server.adapters.gemini.completion import UnusableCompletion, completion_text
from server.adapters.gemini.model_spans import GENERATE_CONTENT, model_span
from server.adapters.gemini.prompt import PROMPT_VERSION, system_instruction, user_content
from server.domain.errors import ExtractionFailed
from server.domain.inference import InferenceAnswer, InferenceRequest
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

_log = structlog.get_logger()


class GeminiLanguageModel:
    """A `LanguageModel` over the Gemini models that can answer by a JSON schema."""

    def __init__(
        self,
        client: GeminiClient,
        *,
        model_name: str = "gemini-3.5-flash",
        timeout: float = 60.0,
        max_output_tokens: int = 8192,
    ) -> None:
        self._client = client
        self._model_name = model_name
        self._timeout = timeout
        self._config = types.GenerateContentConfig(
            system_instruction=system_instruction(),
            temperature=0,
            candidate_count=1,
            max_output_tokens=max_output_tokens,
            response_mime_type="application/json",
            response_json_schema=answer_schema(),
            thinking_config=_thinking(model_name),
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            # A continued answer would be a second call.
            automatic_continuation=False,
        )

    @property
    def model(self) -> str:
        """The model's name with its provider."""
        return f"gemini/{self._model_name}"

    async def infer(self, request: InferenceRequest) -> InferenceAnswer:
        """One proposal for the whole conversation, unchecked but for its shape.

        Raises:
            ExtractionFailed: the answer is `truncated`, `blocked`, `malformed` or `empty`.
            ModelUnavailable: the provider is away or answers with faults.
            ModelQuotaExhausted: the provider's quota is used up.
            DeadlineExceeded: the call's time is up.
        """
        content = types.Content(role="user", parts=[types.Part(text=user_content(request))])

        async def send(
            models: AsyncModels, http_options: types.HttpOptions
        ) -> types.GenerateContentResponse:
            config = self._config.model_copy(update={"http_options": http_options})
            return await models.generate_content(
                model=self._model_name, contents=[content], config=config
            )

        with model_span(GENERATE_CONTENT, self._model_name):
            response = await self._client.call(self.model, GENERATE_CONTENT, self._timeout, send)
            tokens = _tokens(response)
            record_tokens(self.model, *tokens)
            try:
                operations = parse_answer(completion_text(response))
            except UnusableCompletion as error:
                raise self._failed(error.cause, [str(error)], tokens) from error
            except MalformedAnswer as error:
                raise self._failed("malformed", error.problems, tokens) from error
        return InferenceAnswer(operations, self.model, PROMPT_VERSION, *tokens)

    def _failed(
        self, cause: str, problems: Sequence[str], tokens: tuple[int, int]
    ) -> ExtractionFailed:
        _log.warning("gemini.unusable_answer", model=self.model, cause=cause, problems=problems)
        read, written = tokens
        return ExtractionFailed(
            self.model, cause, problems, input_tokens=read, output_tokens=written
        )


def _tokens(response: types.GenerateContentResponse) -> tuple[int, int]:
    """How many tokens the model read and wrote; its thoughts are among the latter."""
    usage = response.usage_metadata or types.GenerateContentResponseUsageMetadata()
    written = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
    return usage.prompt_token_count or 0, written


def _thinking(model_name: str) -> types.ThinkingConfig | None:
    return next((config for name, config in _LEAST_THINKING if name.match(model_name)), None)
