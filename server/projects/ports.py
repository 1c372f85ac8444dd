"""Keeping projects and keys, counting what they hold, and finding what one request left behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from server.memories.memory import EventType
from server.operations.operation import OperationState
from server.projects.project import ApiKey, ChangeCounts, GraphCounts, Holdings, Principal, Project


class ProjectStore(Protocol):
    """Tenants. Every method raises StoreUnavailable where PostgreSQL cannot be reached."""

    async def find_principal(self, key_digest: bytes) -> Principal | None:
        """Whom the key with this digest stands for; None if it is unknown or revoked."""
        ...

    async def get_project(self, project_id: str) -> Project | None:
        """The project, if there is one of this id."""
        ...

    async def create_project(self, project: Project) -> bool:
        """Stores a new project; False if the id is taken, and then nothing changes."""
        ...

    async def update_project(self, project: Project, seen: datetime) -> bool:
        """Stores the project's settings; False unless its update time is still `seen`."""
        ...

    async def list_projects(self) -> list[Project]:
        """All projects, by organization and id."""
        ...

    async def create_key(self, key: ApiKey, digest: bytes) -> None:
        """Stores a new key by its digest."""
        ...

    async def list_keys(self) -> list[ApiKey]:
        """All keys, revoked ones too, by organization, project and creation."""
        ...

    async def revoke_key(self, key_id: str, now: datetime) -> bool:
        """Makes a key useless from now on; False if there is no such key or it is revoked."""
        ...


class StatisticsStore(Protocol):
    """Counts of one project. Every method raises StoreUnavailable."""

    async def holdings(self, project_id: str, visible_on: date) -> Holdings:
        """What it holds; costs time in proportion to that."""
        ...

    async def changes(
        self, project_id: str, since: datetime, lately: datetime
    ) -> tuple[ChangeCounts, ChangeCounts]:
        """What changed since the one instant, and since the later one."""
        ...


class GraphCounter(Protocol):
    """Counts of one project in the graph."""

    async def count(self, project_id: str) -> GraphCounts:
        """How many entities and relations there are.

        Raises:
            GraphUnavailable: the graph cannot be reached.
        """
        ...


@dataclass(frozen=True, slots=True)
class PoolUsage:
    """Connections that are open, those of them that nobody uses, and how many may be open."""

    size: int
    idle: int
    max_size: int


@dataclass(frozen=True, slots=True)
class TracedCall:
    """A call that was stored. Tokens are None where no language model took part."""

    project_id: str
    call_id: UUID
    method: str
    time: datetime
    request_id: UUID | None
    embedding_model: str
    language_model: str | None
    input_tokens: int | None
    output_tokens: int | None
    messages: int


@dataclass(frozen=True, slots=True)
class TracedChange:
    """A memory that a call changed. `in_graph` tells whether the graph holds that change.

    `fault` says why the graph refused it, if it did; `given_up` that it is not tried again.
    """

    project_id: str
    call_id: UUID
    memory_id: UUID
    type: EventType
    version: int
    time: datetime
    in_graph: bool
    given_up: bool
    fault: str | None


@dataclass(frozen=True, slots=True)
class TracedOperation:
    """An asynchronous call."""

    project_id: str
    operation_id: UUID
    state: OperationState
    attempts: int
    create_time: datetime
    start_time: datetime | None
    end_time: datetime | None
    fault: str | None


@dataclass(frozen=True, slots=True)
class RequestTrace:
    """Everything that is stored under one correlation id, oldest first."""

    calls: Sequence[TracedCall]
    changes: Sequence[TracedChange]
    operations: Sequence[TracedOperation]


class RequestTraces(Protocol):
    """What the store holds under correlation ids: for operators, over all projects."""

    async def find(self, correlation_id: str, project_id: str | None = None) -> RequestTrace:
        """What is stored under the id, in one project or all.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        ...
