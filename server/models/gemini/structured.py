"""Asking a Gemini model one question that it answers by a JSON schema.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry.trace import Span, SpanKind

from server.core.request_context import parked
from server.models.gemini.answers import Completion, tokens_of
from server.models.gemini.client import GeminiClient, ModelRequest
from server.telemetry.recording import record_tokens
from server.telemetry.spans import span

EMBEDDINGS = "embeddings"
GENERATE_CONTENT = "generate_content"
_PROVIDER = "gcp.gemini"


@contextmanager
def model_span(operation: str, model_name: str) -> Iterator[Span]:
    """A span around a request to a model with all its attempts, if the current call is traced."""
    attributes = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": _PROVIDER,
        "gen_ai.request.model": model_name,
    }
    with span(f"{operation} {model_name}", attributes, SpanKind.CLIENT) as current:
        yield current


_METHOD = "generateContent"

# The least thinking that each family of models allows: it costs time and tokens, and output cut off
# by it is lost. A family that is not listed decides for itself.
_LEAST_THINKING: tuple[tuple[re.Pattern[str], Mapping[str, object]], ...] = (
    (re.compile(r"gemini-2\.5-flash"), {"thinkingBudget": 0}),
    (re.compile(r"gemini-2\.5-pro"), {"thinkingBudget": 128}),
    (re.compile(r"gemini-3(\.\d+)?-flash"), {"thinkingLevel": "MINIMAL"}),
    (re.compile(r"gemini-3(\.\d+)?-pro"), {"thinkingLevel": "LOW"}),
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
        # The part of the request that is the same for every question.
        self._frame = _frame(task, model_name)

    @property
    def name(self) -> str:
        """The model's name with its provider."""
        return f"gemini/{self._model_name}"

    async def ask(self, material: str) -> Completion:
        """The model's response, unchecked. The call that asks is parked meanwhile.

        Raises:
            ModelUnavailable: the provider is away or answers with faults.
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
    """https://ai.google.dev/api/generate-content#request-body."""
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
