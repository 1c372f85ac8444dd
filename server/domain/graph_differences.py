"""How a graph can differ from what the memories say."""

from __future__ import annotations

from enum import StrEnum


class DifferenceKind(StrEnum):
    """One kind of difference; missing and unexpected are said of the graph."""

    MEMORY_MISSING = "memory missing"
    MEMORY_UNEXPECTED = "memory unexpected"
    MEMORY_DIFFERS = "memory differs"
    MENTION_MISSING = "mention missing"
    MENTION_UNEXPECTED = "mention unexpected"
    RELATION_MISSING = "relation missing"
    RELATION_UNEXPECTED = "relation unexpected"
    RELATION_OF_NO_MEMORY = "relation of no memory"
    RELATION_ENDS_WRONGLY = "relation ends wrongly"
    ENTITY_UNMENTIONED = "entity unmentioned"
    ENTITY_MISNAMED = "entity misnamed"
    ALIASES_NOT_LEARNED = "aliases not learned"
