"""Users, agents, apps and runs: the parts of scopes, each for itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ScopeKind(StrEnum):
    """One of the four parts of a scope, by the name of its field; in the order of lists."""

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
    """How many rows of each kind a deletion removed; `graph_memories` leave the graph soon.

    Messages that other memories rest on stay: `redacted_messages` without the passages of what was
    erased, `retained_messages` with some, because they are passages of the other memories too.
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
    """What a deletion did; `position` is what a consistency token is made of."""

    receipt: DeletionReceipt
    position: int
    payload_digest: bytes = b""
