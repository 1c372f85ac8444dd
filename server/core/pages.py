"""Where pages begin, and how large an answer may be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID


class ListOrder(StrEnum):
    """The order of a list of memories."""

    NEWEST_FIRST = "create_time desc"
    OLDEST_FIRST = "create_time asc"


@dataclass(frozen=True, slots=True)
class ListCursor:
    """The last memory of the page before."""

    create_time: datetime
    memory_id: UUID


@dataclass(frozen=True, slots=True)
class RelationCursor:
    """The last relation of the page before, by what relations are ordered by."""

    event_time: datetime
    memory_id: UUID
    source_key: str
    relation: str
    target_key: str


@dataclass(frozen=True, slots=True)
class EntityCursor:
    """Where a page of entities begins: after the entity of this space and key, or this many on."""

    space: str = ""
    key: str = ""
    skipped: int = 0


MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
"""The largest message that gRPC clients receive by default."""

RESERVED_BYTES: Final = 128 * 1024
"""What an answer needs beside its items: page tokens, and the operation that it may be part of."""

MAX_ITEMS_BYTES: Final = MAX_ANSWER_BYTES - RESERVED_BYTES
"""The most that the items of an answer may take."""


def utf8_bytes(text: str) -> int:
    """How many bytes a text takes in a message."""
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
