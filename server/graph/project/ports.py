"""Ports to the memories that the graph is made from: the changed ones, or all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from server.graph.model import MemorySubgraph


@dataclass(frozen=True, slots=True)
class DirtyMemory:
    """A memory that has changed, claimed for projection.

    `position` grows with every change of the memory. `attempts` counts the claims since the last
    success, including this claim. `correlation_id` and `traceparent` come from the call that made
    the latest change. `lease` identifies the claim.
    """

    project_id: str
    memory_id: UUID
    position: int
    attempts: int
    correlation_id: str
    lease: UUID
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """How far the graph is behind: the numbers of waiting and of given-up memories.

    `oldest_seconds` is how long the oldest has been waiting; 0 if none is waiting.
    """

    pending: int
    given_up: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class ExpectedSubgraphs:
    """The expected subgraphs, and the memories whose aliases are not stored yet."""

    subgraphs: Sequence[MemorySubgraph]
    aliases_not_stored: Sequence[UUID]


class Outbox(Protocol):
    """The memories that the graph must hold: the changed ones, and all of them page by page.

    A change is enqueued in the transaction that makes it.

    Every method raises StoreUnavailable if PostgreSQL cannot be reached.
    """

    async def claim(self, limit: int, lease: timedelta) -> list[DirtyMemory]:
        """Claims up to `limit` dirty memories that nobody else holds, oldest first.

        The caller holds them for the duration `lease`, by the database's clock.
        """
        ...

    async def renew(self, claimed: Sequence[DirtyMemory], lease: timedelta) -> None:
        """Extends a claim to last `lease` from now, for memories that are still held."""
        ...

    async def subgraphs(self, claimed: Sequence[DirtyMemory]) -> list[MemorySubgraph]:
        """Returns the current subgraphs of the claimed memories, one each, in any order.

        A memory that is deleted or expired has `exists=False`. If a memory states other aliases
        than before, the memories that mention those names become dirty.
        """
        ...

    async def settle(self, claimed: Sequence[DirtyMemory]) -> int:
        """Removes the claimed memories, except those that have changed again since the claim.

        Memories that another projector took over become dirty again, because they may have been
        overwritten with an older state. Returns their number.
        """
        ...

    async def release(self, claimed: Sequence[DirtyMemory], retry_after: timedelta) -> None:
        """Releases the claimed memories, to be claimed again after `retry_after`.

        Memories that another projector took over are not affected.
        """
        ...

    async def refuse(
        self, refused: DirtyMemory, fault: str, retry_after: timedelta, patience: int
    ) -> bool:
        """Releases a memory that the graph refuses on its own. Returns whether it is given up.

        It is given up at its `patience`-th refusal: then it is not claimed again until it changes
        or is revived. `fault` is the reason, without the memory's text.
        """
        ...

    async def is_caught_up(self, project_id: str, position: int) -> bool:
        """Whether the graph holds every change of the project up to `position`.

        Memories that were given up do not count.
        """
        ...

    async def backlog(self, project_id: str | None = None) -> Backlog:
        """Returns the backlog of the graph, in one project or in all."""
        ...

    async def enqueue_overdue(self) -> int:
        """Enqueues memories that must change in the graph without a call; returns their number.

        They have expired with the new day, or mention names that changed just before a projector
        died. It is cheap to repeat; only one of several servers does it each day.
        """
        ...

    async def projects(self) -> list[str]:
        """Returns all projects."""
        ...

    def memories(self, project_id: str, page_size: int) -> AsyncIterator[list[UUID]]:
        """Yields the memories of a project, ordered by id."""
        ...

    async def expected_subgraphs(
        self, project_id: str, memory_ids: Sequence[UUID]
    ) -> ExpectedSubgraphs:
        """Returns the current subgraphs of these memories, without changing anything."""
        ...

    async def outstanding(self, project_id: str, memory_ids: Sequence[UUID]) -> set[UUID]:
        """Returns the memories whose latest change is not in the graph yet."""
        ...

    async def enqueue(self, project_id: str, memory_ids: Sequence[UUID]) -> None:
        """Marks the memories as changed."""
        ...

    async def revive(self, project_id: str) -> int:
        """Retries memories that were given up. Returns their number."""
        ...
