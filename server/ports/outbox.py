"""The list of memories whose change the graph does not hold yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from server.domain.graph import MemorySubgraph


@dataclass(frozen=True, slots=True)
class DirtyMemory:
    """A memory that has changed, claimed for projection.

    `generation` grows with every change of the memory; `attempts` counts the claims since the last
    success, this one included; `correlation_id` is that of the latest change.
    """

    project_id: str
    memory_id: UUID
    generation: int
    attempts: int
    correlation_id: str


class Outbox(Protocol):
    """Changes on their way to the graph. A change enters in the transaction that makes it.

    Every method raises StoreUnavailable where PostgreSQL cannot be reached.
    """

    async def claim(self, limit: int, lease: timedelta) -> list[DirtyMemory]:
        """Takes up to `limit` dirty memories, oldest first, that nobody else holds.

        They are this caller's until `lease` passes by the database's clock.
        """
        ...

    async def subgraphs(self, claimed: Sequence[DirtyMemory]) -> list[MemorySubgraph]:
        """What the graph must hold now for the claimed memories, one for each, in any order.

        A memory that is deleted has `exists=False`.
        """
        ...

    async def settle(self, claimed: Sequence[DirtyMemory]) -> None:
        """Removes the claimed memories, but for those that have changed again since the claim."""
        ...

    async def release(self, claimed: Sequence[DirtyMemory], retry_after: timedelta) -> None:
        """Gives the claimed memories back, to be claimed again after `retry_after`."""
        ...

    async def is_caught_up(self, project_id: str, position: int) -> bool:
        """Whether the graph holds every change of the project up to `position`."""
        ...
