"""What a model is told when it infers, and the conversation that it is given as data."""

from __future__ import annotations

from datetime import UTC

from server.adapters.gemini.material import as_material, numbered, rules
from server.domain.conversation import Message
from server.domain.graph import Entity
from server.domain.inference import Candidate, InferenceRequest
from server.domain.values import JsonObject

PROMPT_VERSION = "infer-v4"

# An answer can be wrong in many places, and in long words.
_MAX_PROBLEMS = 20
_MAX_PROBLEM_LENGTH = 200


def system_instruction() -> str:
    """The rules, the same for every call."""
    return rules(PROMPT_VERSION)


def user_content(request: InferenceRequest) -> str:
    """Everything that clients sent."""
    return as_material(_data(request))


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
