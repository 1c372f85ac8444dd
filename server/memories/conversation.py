"""Messages as clients send them and as they are stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """Who speaks."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `content` is None or empty if nothing was said."""

    role: Role
    content: str | None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A stored message; `ordinal` is its place among the call's stored messages, from 0."""

    id: UUID
    ordinal: int
    role: Role
    content: str
    name: str | None
    event_time: datetime


def without_nul(text: str) -> str:
    """Returns the text without NUL characters, which PostgreSQL cannot store."""
    return text.replace("\0", "")


def spoken(messages: Iterable[Message]) -> list[Message]:
    """Returns the messages that have content, without NUL characters."""
    cleaned = (
        replace(
            message,
            content=without_nul(message.content or ""),
            name=without_nul(message.name or "") or None,
        )
        for message in messages
    )
    return [message for message in cleaned if message.content and message.content.strip()]
