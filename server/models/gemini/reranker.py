"""Reranks with one structured-output call to the Gemini API, unless it is unavailable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import structlog
from pydantic import Field

from server.core.circuit_breaker import CircuitBreaker
from server.core.transient_errors import ModelUnavailable
from server.models.gemini.answers import (
    AnswerShape,
    MalformedAnswer,
    UnusableCompletion,
    completion_text,
    read_answer,
    schema_of,
)
from server.models.gemini.client import GeminiClient
from server.models.gemini.options import GeminiOptions
from server.models.gemini.structured import StructuredModel, Task, as_data, numbered, rules
from server.models.ports import Reranker, RerankFailed

PROMPT_VERSION: Final = "rerank-v1"

# Limits on the cost of a request: the lengths of the question and of each text, in characters.
_MAX_QUESTION_LENGTH: Final = 2_000
_MAX_TEXT_LENGTH: Final = 1_000
_MAX_OUTPUT_TOKENS: Final = 2_048

_BEST: Final = 100

log = structlog.get_logger()


class AnsweredScore(AnswerShape):
    """The model's score of one candidate."""

    number: int
    score: Annotated[int, Field(ge=0, le=_BEST)]


class AnsweredScores(AnswerShape):
    """The model's scores of all candidates."""

    scores: list[AnsweredScore]


class GeminiReranker:
    """Implements `Reranker` with Gemini models that support JSON schemas."""

    def __init__(self, client: GeminiClient, options: GeminiOptions) -> None:
        task = Task(rules(PROMPT_VERSION), schema_of(AnsweredScores), _MAX_OUTPUT_TOKENS)
        self._model = StructuredModel(client, task, options)

    @property
    def model(self) -> str:
        """The model's name with its provider."""
        return self._model.name

    async def rerank(self, question: str, texts: Sequence[str]) -> list[float]:
        """See the port. Only the beginning of a long question or text is used.

        Raises:
            RerankFailed: the answer was truncated or blocked, or does not score each text once.
            ModelUnavailable, ModelQuotaExhausted, DeadlineExceeded: as `GeminiClient.call`.
        """
        response = await self._model.ask(rerank_content(question, texts))
        try:
            return scores_in(completion_text(response), len(texts))
        except UnusableCompletion as error:
            raise self._failed(error.cause, [str(error)]) from error
        except MalformedAnswer as error:
            raise self._failed("malformed", error.problems) from error

    def _failed(self, cause: str, problems: Sequence[str]) -> RerankFailed:
        log.warning("gemini_answer.rejected", model=self.model, cause=cause, problems=problems)
        return RerankFailed(f"the language model's answer could not be used ({cause})")


def rerank_content(question: str, texts: Sequence[str]) -> str:
    """Returns the question and the candidates as data."""
    candidates = numbered([{"text": text[:_MAX_TEXT_LENGTH]} for text in texts])
    return as_data({"question": question[:_MAX_QUESTION_LENGTH], "candidates": candidates})


def scores_in(text: str, count: int) -> list[float]:
    """Returns the scores of the candidates 1 to `count` in a model's answer, from 0 to 1.

    Raises:
        MalformedAnswer: the answer has another shape, or does not score each candidate once.
    """
    answered = read_answer(AnsweredScores, text).scores
    if sorted(entry.number for entry in answered) != list(range(1, count + 1)):
        raise MalformedAnswer(["scores: each candidate must be scored exactly once"])
    by_number = {entry.number: entry.score / _BEST for entry in answered}
    return [by_number[number] for number in range(1, count + 1)]


class GuardedReranker:
    """Implements `Reranker` with another reranker and a circuit breaker."""

    def __init__(self, reranker: Reranker, breaker: CircuitBreaker) -> None:
        self._reranker = reranker
        self._breaker = breaker

    @property
    def model(self) -> str:
        return self._reranker.model

    async def rerank(self, question: str, texts: Sequence[str]) -> list[float]:
        if not self._breaker.admits():
            raise ModelUnavailable(self.model)
        with self._breaker.record_outcome(
            is_failure=lambda error: isinstance(error, ModelUnavailable)
        ):
            return await self._reranker.rerank(question, texts)
