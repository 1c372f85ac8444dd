"""Where pages begin: an order, and the last item of the page before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
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
