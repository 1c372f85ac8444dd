"""Conversations with questions about them, for `benchmarks.retrieval`."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, TextIO


@dataclass(frozen=True, slots=True)
class Message:
    """A message that is not empty, with its time if it is known."""

    id: str
    role: str
    content: str
    name: str | None = None
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A question, with the ids of at least one message that answers it."""

    text: str
    category: str
    evidence: Sequence[str]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation in order. `ids_of` maps a text to the ids of all messages with it."""

    id: str
    messages: Sequence[Message]
    questions: Sequence[Question]
    ids_of: Mapping[str, Sequence[str]]

    def sources(self, role: str, quotes: Sequence[str]) -> set[str]:
        """Returns the ids of the messages of a role that contain one of the quotes."""
        return {
            message.id
            for message in self.messages
            if message.role == role and any(quote in message.content for quote in quotes)
        }


def read_conversations(file: Path, limit: int | None = None) -> list[Conversation]:
    """Returns the conversations of a file, or the first `limit` of them.

    Questions without evidence are left out, because no hit can answer them.
    """
    with _open(file) as lines:
        return [_conversation(json.loads(line)) for line in islice(lines, limit)]


def _open(file: Path) -> TextIO:
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding="utf-8")
    return file.open(encoding="utf-8")


def _conversation(value: Mapping[str, Any]) -> Conversation:
    messages = _messages(value["messages"])
    ids_of: dict[str, list[str]] = defaultdict(list)
    for message in messages:
        ids_of[message.content].append(message.id)
    questions = [
        Question(q["question"], q["category"], [str(id_) for id_ in q["evidence"]])
        for q in value["questions"]
        if q["evidence"]
    ]
    return Conversation(str(value["id"]), messages, questions, ids_of)


def _messages(values: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Returns the messages that are not empty. A time applies until the next one."""
    messages = []
    time = None
    for value in values:
        if value.get("time"):
            time = _time(value["time"])
        # The service drops NUL characters, and its answers are matched by text.
        content = (value["content"] or "").replace("\0", "")
        if content:
            name = value.get("name") or None
            messages.append(Message(str(value["id"]), value["role"], content, name, time))
    return messages


def _time(value: str) -> datetime:
    """Parses a time in ISO 8601, by default in UTC, or a day such as March-15-2024."""
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return datetime.strptime(value, "%B-%d-%Y").replace(tzinfo=UTC)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
