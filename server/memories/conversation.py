"""Messages as clients send them and as they are stored, and small talk in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from server.core.text import words


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


def with_content(messages: Iterable[Message]) -> list[Message]:
    """Returns the messages that have content, without NUL characters."""
    cleaned = (
        Message(m.role, without_nul(m.content or ""), without_nul(m.name or "") or None)
        for m in messages
    )
    return [message for message in cleaned if message.content and message.content.strip()]


_ENGLISH: Final = """
    hi hiya hello hey howdy greetings welcome morning afternoon evening night bye goodbye cheers
    thanks thank thx ty please sorry pardon ok okay fine perfect cool nice awesome good great
    wonderful excellent lovely wow oh ah um hmm haha lol
"""
_FOREIGN: Final = """
    hola gracias buenos buenas días tardes noches bonjour bonsoir salut merci beaucoup hallo danke
    vielen guten morgen tag abend servus moin tschüss ciao grazie mille buongiorno buonasera olá oi
    obrigado obrigada bom boa dia noite dank bedankt hoi goedemorgen cześć dziękuję dzięki hej tack
    привет спасибо здравствуйте дякую नमस्ते धन्यवाद शुक्रिया مرحبا شكرا شكرًا جزيلا السلام
    你好 您好 谢谢 謝謝 感谢 こんにちは こんばんは おはよう ありがとう ありがとうございます どうも
    köszönöm kiitos takk tak děkuji mulțumesc teşekkürler muchas
    สวัสดี ขอบคุณ 안녕하세요 감사합니다
"""
_ACCOMPANYING: Final = """
    a again all and course day everyone for help it lot lots many much of really so that the then
    there too very you your
"""

COURTESIES: Final = frozenset(f"{_ENGLISH} {_FOREIGN}".split())
"""Words of greetings, thanks and agreement, in lower case."""

_SMALL_TALK: Final = COURTESIES | frozenset(_ACCOMPANYING.split())


def is_small_talk(sentence: str) -> bool:
    """Whether the sentence has no words, or only words of courtesy, such as `Thanks a lot!`."""
    found = {word.lower() for word in words(sentence)}
    return not found or (found <= _SMALL_TALK and not found.isdisjoint(COURTESIES))
