"""The port that stores projects and keys, counts their content, traces requests, and moves them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from server.core.values import Vector
from server.memories.memory import EventType
from server.operations.operation import OperationState
from server.projects.archive.format import ArchiveHeader, RowKind
from server.projects.archive.mem0 import Mem0Memory
from server.projects.project import (
    ApiKey,
    AuditEvent,
    ChangeCounts,
    ContentCounts,
    Principal,
    Project,
    Quotas,
    StorageUse,
)


@dataclass(frozen=True, slots=True)
class PoolUsage:
    """The number of open connections, how many of them are idle, and how many may be open."""

    size: int
    idle: int
    max_size: int


@dataclass(frozen=True, slots=True)
class TracedCall:
    """A stored call. Tokens are None if no language model took part.

    `key_id` and `peer` are the API key and the client's address; None for the service's own work.
    """

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
    key_id: str | None = None
    peer: str | None = None


@dataclass(frozen=True, slots=True)
class TracedChange:
    """A memory that a call changed. `in_graph` is whether the graph holds that change.

    If the graph refused the change, `fault` is the reason; `given_up` is whether retries ended.
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
    key_id: str | None = None
    peer: str | None = None


@dataclass(frozen=True, slots=True)
class RequestTrace:
    """Everything that is stored under one correlation id, oldest first."""

    calls: Sequence[TracedCall]
    changes: Sequence[TracedChange]
    operations: Sequence[TracedOperation]


@dataclass(frozen=True, slots=True)
class ProjectSnapshot:
    """A project as it was at one instant.

    `last_position` is the highest position of a change, 0 if there is none. `embedding_model` made
    the store's embeddings; it is None if nothing was ever embedded. `counts` are the numbers of
    rows of each kind.

    `rows` reads the rows of a kind as JSON objects, in batches and in a stable order, without the
    project's id.
    """

    last_position: int
    embedding_model: str | None
    counts: Mapping[RowKind, int]
    rows: Callable[[RowKind], AsyncIterator[list[str]]]


@dataclass(frozen=True, slots=True)
class Mem0Source:
    """The memories of a table of Mem0 OSS or of an account of Mem0's platform, oldest first.

    Reading the batches of `memories` raises StoreUnavailable if the source cannot be reached.
    """

    count: int
    memories: AsyncIterator[list[Mem0Memory]]


class ProjectStore(Protocol):
    """Projects with their keys, counts, traces of requests, audit log and archives.

    Every method raises StoreUnavailable if PostgreSQL cannot be reached.
    """

    async def find_principal(self, key_digest: bytes) -> Principal | None:
        """Returns the principal of the key with this digest; None if the key is not valid.

        Revoked and expired keys are not valid.
        """
        ...

    async def get_project(self, project_id: str) -> Project | None:
        """Returns the project with this id, or None."""
        ...

    async def create_project(self, project: Project) -> bool:
        """Stores a new project. Returns False, and changes nothing, if the id is taken."""
        ...

    async def update_project(self, project: Project, seen: datetime) -> bool:
        """Stores the project's settings. Returns False if its update time is no longer `seen`."""
        ...

    async def list_projects(self) -> list[Project]:
        """Returns all projects, ordered by organization and id."""
        ...

    async def set_quotas(self, project_id: str, quotas: Quotas) -> bool:
        """Stores the project's quotas. Returns False if there is no such project."""
        ...

    async def storage_use(self, project_id: str) -> StorageUse:
        """Returns the project's quotas and counts; no quotas if there is no such project."""
        ...

    async def create_key(self, key: ApiKey, digest: bytes) -> None:
        """Stores a new key by its digest."""
        ...

    async def rotate_key(
        self, key_id: str, end: datetime, successor: ApiKey, digest: bytes
    ) -> bool:
        """Stores the successor of a key, and makes the key expire at `end` or earlier.

        Returns False, and changes nothing, if there is no such key or it is revoked.
        """
        ...

    async def record_uses(self, uses: Mapping[str, datetime]) -> None:
        """Stores when keys, by their ids, were last used; ignores times before the stored ones."""
        ...

    async def list_keys(self) -> list[ApiKey]:
        """Returns all keys, including revoked ones, by organization, project and creation time."""
        ...

    async def revoke_key(self, key_id: str, now: datetime) -> bool:
        """Revokes a key. Returns False if there is no such key or it is already revoked."""
        ...

    async def count_content(self, project_id: str, visible_on: date) -> ContentCounts:
        """Counts the project's content, in time proportional to it."""
        ...

    async def count_changes(
        self, project_id: str, since: datetime, later_since: datetime
    ) -> tuple[ChangeCounts, ChangeCounts]:
        """Returns counts of the changes since `since`, and of those since `later_since`."""
        ...

    async def begin_deletion(self, project_id: str, now: datetime) -> bool:
        """Closes the project to all calls and deletes its keys; False if nothing of it is stored.

        Servers use cached keys and projects for a few more seconds.
        """
        ...

    async def count_rows(self, project_id: str) -> int:
        """Returns the number of rows of the project that are left to delete."""
        ...

    async def delete_rows(self, project_id: str, limit: int) -> Mapping[str, int]:
        """Deletes up to `limit` rows and returns their number by table; empty at the end.

        The graph is updated through the outbox, which stays.
        """
        ...

    async def finish_deletion(self, project_id: str) -> None:
        """Deletes the project itself."""
        ...

    async def trace(self, correlation_id: str, project_id: str | None = None) -> RequestTrace:
        """Returns everything stored under a correlation id, in one project or in all."""
        ...

    async def latest_audit_events(
        self, project_id: str | None, before: int, limit: int
    ) -> list[AuditEvent]:
        """Returns the newest events before a position, of one project or of all, newest first.

        The position 0 means the end of the log.
        """
        ...

    async def audit_events(
        self, project_id: str | None, since: datetime, after: int, limit: int
    ) -> list[AuditEvent]:
        """Returns events after a position and a time, of one project or of all, oldest first."""
        ...

    def snapshot(
        self, project_id: str, *, embeddings: bool
    ) -> AbstractAsyncContextManager[ProjectSnapshot]:
        """Opens a snapshot of the project as of the start of the block, with or without embeddings.

        Raises:
            ProjectUnknown: there is no such project.
            StoreUnavailable: the store cannot be reached.
        """
        ...

    async def begin_import(self, project_id: str, header: ArchiveHeader) -> None:
        """Prepares the project for an archive, so that later changes get higher positions.

        Raises:
            ProjectUnknown: there is no such project.
            ProjectOccupied: it holds content that does not come from this archive.
        """
        ...

    async def write_rows(self, project_id: str, kind: RowKind, rows: Sequence[str]) -> int:
        """Writes rows of an archive that have no vectors, and returns how many were new.

        Existing rows stay unchanged. This and `write_embedded` are one transaction each.

        Raises:
            ArchiveUnusable: a row does not fit.
        """
        ...

    async def missing_rows(
        self, project_id: str, rows: Sequence[str], kind: RowKind = RowKind.MEMORY
    ) -> list[str]:
        """Returns the rows of an archive, memories or passages, that still have to be written.

        Rows that are stored are left out, and those changed or deleted since an earlier import.

        Raises:
            ArchiveUnusable: a row does not fit.
        """
        ...

    async def write_embedded(
        self,
        project_id: str,
        rows: Sequence[str],
        embeddings: Sequence[Vector],
        kind: RowKind = RowKind.MEMORY,
    ) -> int:
        """Writes memories or passages, one embedding for each row, and returns how many were new.

        Memories are also queued for the graph.

        Raises:
            ArchiveUnusable: a row does not fit.
        """
        ...
