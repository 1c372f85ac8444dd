"""Positions in lists, and the maximum size of a response."""

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
    """The last memory of the previous page."""

    create_time: datetime
    memory_id: UUID


@dataclass(frozen=True, slots=True)
class RelationCursor:
    """The last relation of the previous page, by the values that relations are ordered by."""

    event_time: datetime
    memory_id: UUID
    source_key: str
    relation: str
    target_key: str


@dataclass(frozen=True, slots=True)
class EntityCursor:
    """The start of a page of entities: after the entity of this space and key, or at an offset."""

    space: str = ""
    key: str = ""
    skipped: int = 0


MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
"""The largest message that gRPC clients accept by default, in bytes."""

RESERVED_BYTES: Final = 128 * 1024
"""Bytes that a response needs in addition to its items: page tokens, an enclosing operation."""

MAX_ITEMS_BYTES: Final = MAX_ANSWER_BYTES - RESERVED_BYTES
"""The maximum size of the items of a response, in bytes."""


def utf8_bytes(text: str) -> int:
    """Returns the size of a text in a message, in bytes."""
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
