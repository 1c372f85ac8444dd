"""Inference by one structured-output call to the Gemini API."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from server.adapters.gemini.answer import answer_schema, parse_answer
from server.adapters.gemini.client import GeminiClient
from server.adapters.gemini.completion import UnusableCompletion, completion_text, tokens_of
from server.adapters.gemini.prompt import PROMPT_VERSION, system_instruction, user_content
from server.adapters.gemini.shape import MalformedAnswer
from server.adapters.gemini.structured import StructuredModel, Task
from server.domain.errors import ExtractionFailed
from server.domain.inference import InferenceAnswer, InferenceRequest

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
        task = Task(system_instruction(), answer_schema(), max_output_tokens)
        self._model = StructuredModel(client, task, model_name=model_name, timeout=timeout)

    @property
    def model(self) -> str:
        """The model's name with its provider."""
        return self._model.name

    async def infer(self, request: InferenceRequest) -> InferenceAnswer:
        """One proposal for the whole conversation, unchecked but for its shape.

        Raises:
            ExtractionFailed: the answer is `truncated`, `blocked`, `malformed` or `empty`.
            ModelUnavailable: the provider is away or answers with faults.
            ModelQuotaExhausted: the provider's quota is used up.
            DeadlineExceeded: the call's time is up.
        """
        response = await self._model.ask(user_content(request))
        tokens = tokens_of(response)
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
