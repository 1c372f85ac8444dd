"""Conversations with questions about them, as `benchmarks.retrieval` reads them."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TextIO


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody said. It has content."""

    id: str
    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question, with the ids of the messages that answer it: at least one."""

    text: str
    category: str
    evidence: Sequence[str]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation in order. `ids_of` leads from a message's text to all that say it."""

    id: str
    messages: Sequence[Message]
    questions: Sequence[Question]
    ids_of: Mapping[str, Sequence[str]]


def read_conversations(file: Path, limit: int | None = None) -> list[Conversation]:
    """The conversations of a file, or the first `limit` of them.

    Questions without evidence are left out: nothing can be found for them.
    """
    with _open(file) as lines:
        return [_conversation(json.loads(line)) for line in islice(lines, limit)]


def _open(file: Path) -> TextIO:
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding="utf-8")
    return file.open(encoding="utf-8")


def _conversation(value: Mapping[str, Any]) -> Conversation:
    messages = [
        # The service drops NUL characters, and its answers are matched by their text.
        Message(str(m["id"]), m["role"], m["content"].replace("\0", ""))
        for m in value["messages"]
        if m["content"]
    ]
    ids_of: dict[str, list[str]] = defaultdict(list)
    for message in messages:
        ids_of[message.content].append(message.id)
    questions = [
        Question(q["question"], q["category"], [str(id_) for id_ in q["evidence"]])
        for q in value["questions"]
        if q["evidence"]
    ]
    return Conversation(str(value["id"]), messages, questions, ids_of)
