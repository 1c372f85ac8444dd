"""What the graph is made from: memories whose change it does not hold yet, or all of them."""

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

    `position` grows with every change of the memory; `attempts` counts the claims since the last
    success, this one included; `correlation_id` and `traceparent` are those of the latest change's
    call. `lease` is the claim.
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
    """How far the graph is behind: memories that wait, and those that were given up.

    `oldest_seconds` is how long the oldest that waits has done so; 0 where none does.
    """

    pending: int
    dead: int
    oldest_seconds: float


class Outbox(Protocol):
    """Changes on their way to the graph. A change enters in the transaction that makes it.

    Every method raises StoreUnavailable where PostgreSQL cannot be reached.
    """

    async def claim(self, limit: int, lease: timedelta) -> list[DirtyMemory]:
        """Takes up to `limit` dirty memories, oldest first, that nobody else holds.

        They are this caller's until `lease` passes by the database's clock.
        """
        ...

    async def renew(self, claimed: Sequence[DirtyMemory], lease: timedelta) -> None:
        """Holds for another `lease` from now what is still held of a claim."""
        ...

    async def subgraphs(self, claimed: Sequence[DirtyMemory]) -> list[MemorySubgraph]:
        """What the graph must hold now for the claimed memories, one for each, in any order.

        A memory that is deleted or expired has `exists=False`. Where a memory teaches other names
        of an entity than before, the memories that mention those names become dirty.
        """
        ...

    async def settle(self, claimed: Sequence[DirtyMemory]) -> int:
        """Removes the claimed memories, but for those that have changed again since the claim.

        Those whose lease has passed to somebody else become dirty once more, for they may have been
        overwritten with an older state; how many those are.
        """
        ...

    async def release(self, claimed: Sequence[DirtyMemory], retry_after: timedelta) -> None:
        """Gives the claimed memories back, to be claimed again after `retry_after`.

        Those whose lease has passed to somebody else stay there.
        """
        ...

    async def refuse(
        self, refused: DirtyMemory, fault: str, retry_after: timedelta, patience: int
    ) -> bool:
        """Gives back a memory that the graph refuses by itself; whether it is given up by that.

        It is, at its `patience`-th refusal: it is not claimed again until it changes or is revived.
        `fault` says what is wrong, without the memory's text.
        """
        ...

    async def is_caught_up(self, project_id: str, position: int) -> bool:
        """Whether the graph holds every change of the project up to `position`.

        What was given up is not waited for.
        """
        ...

    async def backlog(self, project_id: str | None = None) -> Backlog:
        """How far the graph is behind, in one project or in all."""
        ...

    async def keep_up(self) -> int:
        """Makes dirty what no call does: memories that a new day has expired; how many those are.

        Cheap to repeat; of several servers one begins a day. It also finishes what a projector that
        died had begun.
        """
        ...


@dataclass(frozen=True, slots=True)
class KnownSubgraphs:
    """What the graph should hold; `not_learned` are memories whose aliases are not known yet."""

    subgraphs: Sequence[MemorySubgraph]
    not_learned: Sequence[UUID]


class ProjectionSource(Protocol):
    """All memories, page by page.

    Every method raises StoreUnavailable where PostgreSQL cannot be reached.
    """

    async def projects(self) -> list[str]:
        """The projects that there are."""
        ...

    def memories(self, project_id: str, page_size: int) -> AsyncIterator[list[UUID]]:
        """The memories of a project, in the order of their ids."""
        ...

    async def subgraphs(self, project_id: str, memory_ids: Sequence[UUID]) -> KnownSubgraphs:
        """What the graph must hold of them now. Nothing is changed by asking."""
        ...

    async def outstanding(self, project_id: str, memory_ids: Sequence[UUID]) -> set[UUID]:
        """Those of them whose change the graph does not hold yet."""
        ...

    async def enqueue(self, project_id: str, memory_ids: Sequence[UUID]) -> None:
        """Marks them as changed."""
        ...

    async def revive(self, project_id: str) -> int:
        """Has memories that were given up tried again; how many those are."""
        ...
