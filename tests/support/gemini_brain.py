"""A stand-in for the model behind generateContent: the built-in extractor, over Gemini's API.

So end-to-end tests get memories, entities and relations that follow from their input. Reranking
scores a candidate by the share of the question's words that it contains.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from server.memories.add.inference import Candidate, Category, InferenceRequest
from server.memories.conversation import Message, Role
from server.models.offline.language_model import Extraction

Json = dict[str, Any]


def answer(request: Json) -> Json:
    """Returns the operations, or the scores, for a body of generateContent."""
    data = conversation(request)
    if "question" in data:
        return {"scores": [_scored(candidate, data) for candidate in data["candidates"]]}
    return {"operations": [asdict(operation) for operation in Extraction(_request(data)).run()]}


def conversation(request: Json) -> Json:
    """Returns the JSON object in the user's content."""
    text = "".join(
        part.get("text", "") for content in request["contents"] for part in content["parts"]
    )
    data: Json = json.JSONDecoder().raw_decode(text, text.index("{"))[0]
    return data


def _scored(candidate: Json, data: Json) -> Json:
    question, text = (
        set(_folded(words).split()) for words in (data["question"], candidate["text"])
    )
    score = round(100 * len(question & text) / len(question))
    return {"number": candidate["number"], "score": score}


def _request(data: Json) -> InferenceRequest:
    return InferenceRequest(
        messages=_messages(data, "messages"),
        context=_messages(data, "context"),
        candidates=[
            Candidate(
                id=UUID(int=candidate["number"]),
                text=candidate["text"],
                version=1,
                immutable=candidate.get("immutable", False),
            )
            for candidate in data.get("candidates", [])
        ],
        categories=[Category(*named) for named in data.get("categories", {}).items()],
        event_time=datetime.fromisoformat(data["event_time"].partition(",")[0]),
    )


def _messages(data: Json, key: str) -> list[Message]:
    return [
        Message(Role(sent["role"]), sent["content"], sent.get("name")) for sent in data.get(key, [])
    ]


def _folded(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))
