"""Infers memories with one structured-output call to the Gemini API, and builds its prompt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Literal

import structlog

from server.core.errors import ExtractionFailed
from server.core.values import JsonObject
from server.graph.model import Entity
from server.memories.add.inference import (
    Candidate,
    InferenceAnswer,
    InferenceRequest,
    ProposedEntity,
    ProposedOperation,
    ProposedRelation,
)
from server.memories.conversation import Message
from server.models.gemini.answers import (
    AnswerShape,
    MalformedAnswer,
    UnusableCompletion,
    completion_text,
    read_answer,
    schema_of,
    tokens_of,
)
from server.models.gemini.client import GeminiClient
from server.models.gemini.options import GeminiOptions
from server.models.gemini.structured import StructuredModel, Task, as_data, numbered, rules

PROMPT_VERSION = "infer-v5"

# An answer can have many problems, with long descriptions.
_MAX_PROBLEMS = 20
_MAX_PROBLEM_LENGTH = 200


def system_instruction() -> str:
    """Returns the instructions, which are the same for all calls."""
    return rules(PROMPT_VERSION)


def user_content(request: InferenceRequest) -> str:
    """Returns everything that clients sent."""
    return as_data(_data(request))


def _data(request: InferenceRequest) -> JsonObject:
    data = {
        "event_time": f"{request.event_time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ, %A}",
        "categories": {category.name: category.description for category in request.categories},
        "instructions": list(request.instructions),
        "includes": request.includes,
        "excludes": request.excludes,
        "candidates": numbered([_candidate(candidate) for candidate in request.candidates]),
        "known_entities": numbered([_entity(entity) for entity in request.known_entities]),
        "context": [_message(message) for message in request.context],
        "messages": numbered([_message(message) for message in request.messages]),
        "problems": [problem[:_MAX_PROBLEM_LENGTH] for problem in request.problems[:_MAX_PROBLEMS]],
    }
    return {key: value for key, value in data.items() if value}


def _candidate(candidate: Candidate) -> JsonObject:
    name = {"name": candidate.name} if candidate.name else {}
    return {**name, "text": candidate.text} | ({"immutable": True} if candidate.immutable else {})


def _entity(entity: Entity) -> JsonObject:
    return {"name": entity.name} | ({"type": entity.type} if entity.type else {})


def _message(message: Message) -> JsonObject:
    name = {"name": message.name} if message.name else {}
    return {"role": message.role.value, **name, "content": message.content or ""}


class AnsweredEntity(AnswerShape):
    """An entity in an answer."""

    name: str
    type: str
    aliases: list[str] | None = None
    known: int | None = None


class AnsweredRelation(AnswerShape):
    """A relation in an answer."""

    source: str
    relation: str
    target: str


class AnsweredOperation(AnswerShape):
    """One change that the model proposes."""

    # In this order, the model first finds the quote and then decides about the action.
    message: int
    quote: str
    action: Literal["ADD", "UPDATE", "DELETE", "FORGET"]
    target: int | None = None
    text: str
    categories: list[str]
    entities: list[AnsweredEntity]
    relations: list[AnsweredRelation]


class Answer(AnswerShape):
    """Everything that the model proposes."""

    operations: list[AnsweredOperation]


def answer_schema() -> dict[str, object]:
    """Returns the JSON Schema of an answer."""
    return schema_of(Answer)


def parse_answer(text: str) -> list[ProposedOperation]:
    """Returns the operations in a model's answer; only its shape is checked.

    Raises:
        MalformedAnswer: the text is not JSON, or JSON of another shape.
    """
    return [_proposed(operation) for operation in read_answer(Answer, text).operations]


def _proposed(operation: AnsweredOperation) -> ProposedOperation:
    return ProposedOperation(
        action=operation.action,
        text=operation.text,
        message=operation.message,
        quote=operation.quote,
        target=operation.target,
        categories=tuple(operation.categories),
        entities=tuple(
            ProposedEntity(entity.name, entity.type, tuple(entity.aliases or ()), entity.known)
            for entity in operation.entities
        ),
        relations=tuple(
            ProposedRelation(relation.source, relation.relation, relation.target)
            for relation in operation.relations
        ),
    )


_MAX_OUTPUT_TOKENS = 8192

log = structlog.get_logger()


class GeminiLanguageModel:
    """Implements `LanguageModel` with Gemini models that support JSON schemas."""

    def __init__(self, client: GeminiClient, options: GeminiOptions) -> None:
        task = Task(system_instruction(), answer_schema(), _MAX_OUTPUT_TOKENS)
        self._model = StructuredModel(client, task, options)

    @property
    def model(self) -> str:
        """The model's name with its provider."""
        return self._model.name

    async def infer(self, request: InferenceRequest) -> InferenceAnswer:
        """Returns the proposal for a conversation; only its shape is checked.

        Raises:
            ExtractionFailed: the answer is `truncated`, `blocked`, `malformed` or `empty`.
            ModelUnavailable: the provider is unreachable or returns errors.
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
        log.warning("gemini_answer.rejected", model=self.model, cause=cause, problems=problems)
        read, written = tokens
        return ExtractionFailed(
            self.model, cause, problems, input_tokens=read, output_tokens=written
        )
