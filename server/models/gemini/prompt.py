"""What a model is told when it infers, and the conversation that it is given as data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC
from importlib import resources
from typing import Final

from server.core.values import JsonObject
from server.graph.model import Entity
from server.memories.add.inference import Candidate, InferenceRequest
from server.memories.conversation import Message

_BEGIN: Final = "<data>"
_END: Final = "</data>"


def rules(version: str) -> str:
    """The rules of this name and version."""
    prompts = resources.files("server.models.gemini") / "prompts"
    return (prompts / f"{version}.txt").read_text(encoding="utf-8").strip()


def as_material(data: JsonObject) -> str:
    """The data as JSON between two marks that cannot occur in it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    unmarked = text.replace("<", "\\u003c")
    return f"{_BEGIN}\n{unmarked}\n{_END}"


def numbered(entries: Sequence[JsonObject]) -> list[JsonObject]:
    """The entries with numbers from 1, which are all that a model can name them by."""
    return [{"number": number, **entry} for number, entry in enumerate(entries, start=1)]


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
