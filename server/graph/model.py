"""Entities and relations: the statements of a memory as a small graph."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

from server.core.text import is_word_character
from server.memories.scope import Scope

MAX_NAME_LENGTH = 512
MAX_RELATION_LENGTH = 128

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True, slots=True)
class Entity:
    """Something that memories mention, such as a person. `type` is "" if it is not known.

    `aliases` are other names that a memory states; see `server.graph.names`.
    """

    name: str
    type: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The key of the entity, equal for all its spellings: see `entity_key`."""
        return entity_key(self.name)


@dataclass(frozen=True, slots=True)
class Relation:
    """A statement about two entities, such as (Alice, works_at, Acme)."""

    source: Entity
    relation: str
    target: Entity

    @property
    def subject(self) -> tuple[str, str]:
        """The subject of the relation: the source's key and the kind."""
        return self.source.key, self.relation

    @property
    def identity(self) -> tuple[str, str, str]:
        """The keys of both ends and the kind, equal for all spellings of the same statement."""
        return (*self.subject, self.target.key)


@dataclass(frozen=True, slots=True)
class MemorySubgraph:
    """The content of the graph for one memory.

    If the memory does not exist or mentions nothing, it has neither entities nor relations, and
    `exists` is False. `version` only grows. Entities are shared within the scope's graph space
    (`Scope.graph_space`). `joined` maps the keys of names to the keys of their entities in that
    space, and `aliases` maps an entity's key to its other names; both have only entries for this
    memory. `expires_on` is the last day on which the memory is visible.
    """

    project_id: str
    memory_id: UUID
    exists: bool
    version: int = 0
    scope: Scope = field(default_factory=Scope)
    entities: Sequence[Entity] = ()
    relations: Sequence[Relation] = ()
    event_time: datetime | None = None
    correlation_id: str = ""
    expires_on: date | None = None
    joined: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


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


@dataclass(frozen=True, slots=True)
class StatedRelation:
    """A relation together with the memory that states it.

    It holds from `event_time` until `superseded_at`, or still holds if that is None. The keys are
    the keys of the two entities in the graph, which differ from the keys of the names if these are
    aliases. By default they are the keys of the names.
    """

    relation: Relation
    memory_id: UUID
    event_time: datetime
    superseded_at: datetime | None = None
    source_key: str = ""
    target_key: str = ""

    def __post_init__(self) -> None:
        """Fills in the keys."""
        if not self.source_key:
            object.__setattr__(self, "source_key", self.relation.source.key)
        if not self.target_key:
            object.__setattr__(self, "target_key", self.relation.target.key)

    @property
    def place(self) -> tuple[UUID, str, str, str]:
        """Orders relations of one event time: by memory, then by source, kind and target."""
        return self.memory_id, self.source_key, self.relation.relation, self.target_key

    def holds_at(self, time: datetime) -> bool:
        """Whether nothing has superseded the relation by that time."""
        return self.superseded_at is None or self.superseded_at > time

    def is_after(self, cursor: RelationCursor) -> bool:
        """Whether the relation comes after the cursor in the order of lists."""
        if self.event_time != cursor.event_time:
            return self.event_time < cursor.event_time
        place = cursor.memory_id, cursor.source_key, cursor.relation, cursor.target_key
        return self.place > place


def newest_first(relations: Iterable[StatedRelation]) -> list[StatedRelation]:
    """Returns relations in the order of lists: newest event first, then by place."""
    placed = sorted(relations, key=lambda stated: stated.place)
    return sorted(placed, key=lambda stated: stated.event_time, reverse=True)


@dataclass(frozen=True, slots=True)
class EntityRef:
    """The identity of an entity within a project: its graph space and its key there."""

    space: str
    key: str


@dataclass(frozen=True, slots=True)
class KnownEntity:
    """An entity in the graph. `memory_count` counts the memories of a scope that mention it."""

    ref: EntityRef
    entity: Entity
    memory_count: int = 0


def clean_name(text: str) -> str:
    """Returns the name without control characters, with single spaces, up to 512 characters."""
    return cut_name(" ".join(_CONTROL.sub(" ", text).split()))


def cut_name(text: str) -> str:
    """Returns at most the first 512 characters, without spaces at the ends."""
    return text[:MAX_NAME_LENGTH].strip()


def entity_key(name: str) -> str:
    """Returns the name folded for comparison: compatibility form (NFKC), no case, single spaces.

    This can make a name up to 18 times as long (U+FDFA).
    """
    return _short_key(name) if len(name) <= _SHORT_NAME else _key(name)


# An add needs the keys of the same few names hundreds of times. Long names are not cached, so that
# the cache stays small.
_SHORT_NAME = 64


@lru_cache(maxsize=4096)
def _short_key(name: str) -> str:
    return _key(name)


def _key(name: str) -> str:
    return " ".join(_folded(name).split())


def relation_name(text: str) -> str:
    """Returns the relation's name in snake case: `Works at` becomes `works_at`. May be empty.

    At most 128 characters. Combining marks count as parts of words, because many scripts need them.
    """
    return "_".join(words_of(text))[:MAX_RELATION_LENGTH].rstrip("_")


def words_of(text: str) -> list[str]:
    """Returns the folded words of a name: runs of letters, digits and combining marks."""
    folded = _folded(text)
    if folded.isascii():
        return folded.translate(_ASCII_SEPARATORS).split()
    return "".join(c if is_word_character(c) else " " for c in folded).split()


# Of ASCII, only letters and digits are parts of words.
_ASCII_SEPARATORS = {code: " " for code in range(128) if not chr(code).isalnum()}


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    # Case folding can produce text that is not in NFKC, so NFKC is applied again.
    return _nfkc(_nfkc(text).casefold())


def _nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


class DifferenceKind(StrEnum):
    """One kind of difference; "missing" and "unexpected" refer to the graph."""

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
    ALIASES_NOT_STORED = "aliases not stored"
