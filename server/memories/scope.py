"""Scopes: the users, agents, apps and runs that memories belong to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import combinations

SCOPE_FIELDS = ("user_id", "agent_id", "app_id", "run_id")

MAX_SCOPE_ID_LENGTH = 256
"""The maximum length of the id of a user, agent, app or run, in characters."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The tuple (user, agent, app, run).

    A memory belongs to exactly one tuple. A read that names some of the four parts sees every
    memory that matches those; a part that is None is not compared.
    """

    user_id: str | None = None
    agent_id: str | None = None
    app_id: str | None = None
    run_id: str | None = None

    def fields(self) -> dict[str, str | None]:
        """Returns all four parts by field, most general first."""
        return {
            "user_id": self.user_id,
            "agent_id": self.agent_id,
            "app_id": self.app_id,
            "run_id": self.run_id,
        }

    def parts(self) -> tuple[tuple[str, str], ...]:
        """Returns the named parts as (field, value), most general first."""
        return tuple((field, value) for field, value in self.fields().items() if value is not None)

    def covers(self, other: Scope) -> bool:
        """Whether a read of this scope sees the memories of the exact tuple `other`."""
        return all(getattr(other, field) == value for field, value in self.parts())

    def sees_whole_spaces(self) -> bool:
        """Whether the scope includes whole graph spaces: all or no memories of each."""
        return [field for field, _ in self.parts()] == ["user_id"]

    def readers(self) -> Iterator[Scope]:
        """Yields every scope whose reads see this one: at most 16, including the empty one."""
        parts = self.parts()
        for count in range(len(parts) + 1):
            for named in combinations(parts, count):
                yield Scope(**dict(named))

    def key(self) -> bytes:
        """Returns 16 bytes that identify the exact tuple.

        The digest includes the lengths of the parts, so that no two tuples share an encoding.
        """
        digest = hashlib.sha256()
        for field, value in self.parts():
            encoded = value.encode()
            digest.update(f"{field}:{len(encoded)}:".encode() + encoded)
        return digest.digest()[:16]

    def graph_space(self) -> str:
        """Returns the space in which this scope's entities are shared: its most general part.

        Everything known about one user forms one graph, whichever agent or run it came from.

        Raises:
            ValueError: the scope is empty.
        """
        for field, value in self.parts():
            return f"{field.removesuffix('_id')}:{value}"
        raise ValueError("an empty scope has no graph space")


def is_within(scope: Scope, bounds: Scope | None) -> bool:
    """Whether this exact tuple lies within `bounds`, if there are any."""
    return bounds is None or bounds.covers(scope)


class ScopeKind(StrEnum):
    """One of the four parts of a scope, by its field name, in the order of lists."""

    USER = "user_id"
    AGENT = "agent_id"
    APP = "app_id"
    RUN = "run_id"


@dataclass(frozen=True, slots=True)
class ScopeSummary:
    """One user, agent, app or run. Memories that have expired are not counted."""

    kind: ScopeKind
    id: str
    memory_count: int
    last_activity_time: datetime


@dataclass(frozen=True, slots=True)
class DeletionReceipt:
    """The numbers of rows that a deletion removed; `graph_memories` leave the graph soon.

    Messages that are evidence of other memories stay. `redacted_messages` lost the quotes of the
    erased memories; `retained_messages` kept some quotes that are evidence of other memories too.
    """

    memories: int = 0
    messages: int = 0
    events: int = 0
    graph_memories: int = 0
    redacted_messages: int = 0
    retained_messages: int = 0
    passages: int = 0


@dataclass(frozen=True, slots=True)
class StoredDeletion:
    """The receipt of a deletion; `position` becomes the consistency token."""

    receipt: DeletionReceipt
    position: int
    payload_digest: bytes = b""
