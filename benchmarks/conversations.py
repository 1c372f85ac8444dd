"""Conversations with questions about them, as `benchmarks.retrieval` reads them."""

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
    """What somebody said, and when if that is known. It has content."""

    id: str
    role: str
    content: str
    name: str | None = None
    time: datetime | None = None


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

    def sources(self, role: str, quotes: Sequence[str]) -> set[str]:
        """The ids of the messages of a role that say one of the quotes."""
        return {
            message.id
            for message in self.messages
            if message.role == role and any(quote in message.content for quote in quotes)
        }


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
    """Those that say something. A time holds until the next one is given."""
    messages = []
    time = None
    for value in values:
        if value.get("time"):
            time = _time(value["time"])
        # The service drops NUL characters, and its answers are matched by their text.
        content = (value["content"] or "").replace("\0", "")
        if content:
            name = value.get("name") or None
            messages.append(Message(str(value["id"]), value["role"], content, name, time))
    return messages


def _time(value: str) -> datetime:
    """A time in ISO 8601, in UTC unless it says otherwise, or a day such as March-15-2024."""
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return datetime.strptime(value, "%B-%d-%Y").replace(tzinfo=UTC)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
