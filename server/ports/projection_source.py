"""What the graph is made from, as a whole: for comparing with it and for making it anew."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from server.domain.graph import MemorySubgraph


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
