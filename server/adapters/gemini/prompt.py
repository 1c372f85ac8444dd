"""What a model is told, and the conversation that it is given as data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC
from importlib import resources

from server.domain.conversation import Message
from server.domain.graph import Entity
from server.domain.inference import Candidate, InferenceRequest
from server.domain.values import JsonObject

PROMPT_VERSION = "infer-v3"

# An answer can be wrong in many places, and in long words.
_MAX_PROBLEMS = 20
_MAX_PROBLEM_LENGTH = 200

_BEGIN = "<data>"
_END = "</data>"


def system_instruction() -> str:
    """The rules, the same for every call."""
    prompts = resources.files("server.adapters.gemini") / "prompts"
    return (prompts / f"{PROMPT_VERSION}.txt").read_text(encoding="utf-8").strip()


def user_content(request: InferenceRequest) -> str:
    """Everything that clients sent, as JSON between two marks that cannot occur in it."""
    data = json.dumps(_data(request), ensure_ascii=False, separators=(",", ":"))
    unmarked = data.replace("<", "\\u003c")
    return f"{_BEGIN}\n{unmarked}\n{_END}"


def _data(request: InferenceRequest) -> JsonObject:
    data = {
        "event_time": f"{request.event_time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ, %A}",
        "categories": {category.name: category.description for category in request.categories},
        "instructions": list(request.instructions),
        "includes": request.includes,
        "excludes": request.excludes,
        "candidates": _numbered([_candidate(candidate) for candidate in request.candidates]),
        "known_entities": _numbered([_entity(entity) for entity in request.known_entities]),
        "context": [_message(message) for message in request.context],
        "messages": _numbered([_message(message) for message in request.messages]),
        "problems": [problem[:_MAX_PROBLEM_LENGTH] for problem in request.problems[:_MAX_PROBLEMS]],
    }
    return {key: value for key, value in data.items() if value}


def _numbered(entries: Sequence[JsonObject]) -> list[JsonObject]:
    return [{"number": number, **entry} for number, entry in enumerate(entries, start=1)]


def _candidate(candidate: Candidate) -> JsonObject:
    return {"text": candidate.text} | ({"immutable": True} if candidate.immutable else {})


def _entity(entity: Entity) -> JsonObject:
    return {"name": entity.name} | ({"type": entity.type} if entity.type else {})


def _message(message: Message) -> JsonObject:
    name = {"name": message.name} if message.name else {}
    return {"role": message.role.value, **name, "content": message.content or ""}
