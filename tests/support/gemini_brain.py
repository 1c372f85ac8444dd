"""A stand-in for the model behind generateContent: a few rules over the JSON that it is given.

It reads what users say about themselves in plain English sentences, so that end-to-end tests get
memories, entities and relations that follow from their input. Candidates of a question score by the
share of its words that they have.
"""

from __future__ import annotations

import json
import re
from typing import Any

Json = dict[str, Any]

_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
_ABOUT_SELF = re.compile(r"(?i)^(?:i|i'm|i've|my)\b")
_RELATIVE = re.compile(r"(?i)^my (?!name\b)(?P<relative>\w+)")
_FIRST_PERSON = (
    (re.compile(r"(?i)\bI'm\b|\bI am\b"), "{speaker} is"),
    (re.compile(r"(?i)\bI've\b|\bI have\b"), "{speaker} has"),
    (re.compile(r"(?i)\bmy\b"), "{speaker}'s"),
    (re.compile(r"(?i)\bI (?=(?:was|had|used|never|can|will)\b)"), "{speaker} "),
    (re.compile(r"(?i)\bI (?=\w+(?:ed|s)\b)"), "{speaker} "),
    (re.compile(r"(?i)\bI (\w+)\b"), r"{speaker} \1s"),
)
_TARGET = (
    r"(?P<target>[^,.!?]+?)"
    r"(?= (?:and|as|because|but|for|last|near|now|since|this|with)\b|[,.!?]|$)"
)
_RELATIONS = tuple(
    (re.compile(rf"(?i)\b{verb} {_TARGET}"), name)
    for verb, name in (
        (r"works? (?:as .+? )?(?:at|for)", "works_at"),
        (r"(?:lives? in|moved to)", "lives_in"),
        (r"name is", "is_named"),
        (r"(?:likes?|loves?|enjoys?)", "likes"),
    )
)
_SINGLE_VALUED = {"works_at", "lives_in", "is_named"}
_TYPES = {"works_at": "organization", "lives_in": "place", "is_named": "person"}
_CATEGORIES = {
    "works_at": "professional_details",
    "lives_in": "personal_details",
    "is_named": "personal_details",
    "likes": "user_preferences",
}


def answer(request: Json) -> Json:
    """The operations, or the scores, for a body of generateContent."""
    data = conversation(request)
    if "question" in data:
        return {"scores": [_scored(candidate, data) for candidate in data["candidates"]]}
    operations = [
        operation
        for message in data.get("messages", [])
        if message["role"] == "user"
        for sentence in _SENTENCE.findall(message["content"])
        if (operation := _operation(sentence.strip(), message, data))
    ]
    return {"operations": operations}


def conversation(request: Json) -> Json:
    """The JSON object that stands in the user's content."""
    text = "".join(
        part.get("text", "") for content in request["contents"] for part in content["parts"]
    )
    data: Json = json.JSONDecoder().raw_decode(text, text.index("{"))[0]
    return data


def _scored(candidate: Json, data: Json) -> Json:
    asked, said = (set(_folded(text).split()) for text in (data["question"], candidate["text"]))
    return {"number": candidate["number"], "score": round(100 * len(asked & said) / len(asked))}


def _operation(sentence: str, message: Json, data: Json) -> Json | None:
    if sentence.endswith("?") or not _ABOUT_SELF.match(sentence):
        return None
    speaker = message.get("name", "")
    text = _third_person(sentence, speaker or "User")
    candidates = data.get("candidates", [])
    if any(_folded(candidate["text"]) == _folded(text) for candidate in candidates):
        return None
    replaced = _replaced(text, candidates)
    relation, target = _relation(text)
    subject = _subject(sentence, speaker or "user")
    category = _CATEGORIES.get(relation, "misc")
    entities = [{"name": subject, "type": "person"}]
    relations = []
    if target:
        entities.append({"name": target, "type": _TYPES.get(relation, "thing")})
        relations.append({"source": subject, "relation": relation, "target": target})
    return {
        "message": message["number"],
        "quote": sentence,
        "action": "UPDATE" if replaced else "ADD",
        "target": replaced,
        "text": text,
        "categories": [category] if category in data.get("categories", {}) else [],
        "entities": entities,
        "relations": relations,
    }


def _subject(sentence: str, speaker: str) -> str:
    match = _RELATIVE.match(sentence)
    return f"{speaker}'s {match['relative']}" if match else speaker


def _third_person(sentence: str, speaker: str) -> str:
    for pattern, replacement in _FIRST_PERSON:
        sentence = pattern.sub(replacement.replace("{speaker}", speaker), sentence)
    return sentence


def _relation(text: str) -> tuple[str, str]:
    for pattern, name in _RELATIONS:
        if match := pattern.search(text):
            return name, match["target"].strip()
    return "", ""


def _replaced(text: str, candidates: list[Json]) -> int | None:
    """The number of the candidate that gives a single-valued relation of the same thing."""
    stated = _single_valued(text)
    for candidate in candidates if stated else ():
        if not candidate.get("immutable") and _single_valued(candidate["text"]) == stated:
            number: int = candidate["number"]
            return number
    return None


def _single_valued(text: str) -> tuple[str, str] | None:
    """Of whom or what, and which relation, if the relation can have one value only."""
    for pattern, name in _RELATIONS:
        if name in _SINGLE_VALUED and (match := pattern.search(text)):
            return _folded(text[: match.start()]), name
    return None


def _folded(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))
