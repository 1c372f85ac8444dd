"""Comparing the graph with the memories it is made of, and mending what no projection touches."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from server.domain.graph import MemorySubgraph
from server.domain.graph_differences import DifferenceKind


class GraphAudit(Protocol):
    """A look at the whole graph, page by page.

    Every method raises GraphUnavailable where the graph cannot be reached.
    """

    async def projects(self) -> list[str]:
        """The projects of which the graph holds anything."""
        ...

    async def compare(
        self, subgraphs: Sequence[MemorySubgraph]
    ) -> Mapping[UUID, Counter[DifferenceKind]]:
        """How the graph differs from these subgraphs of one project, by memory; equal ones not."""
        ...

    async def rewind(self, subgraphs: Sequence[MemorySubgraph]) -> None:
        """Lets these states be projected although the graph knows later versions of the memories.

        It does where PostgreSQL was restored from a backup.
        """
        ...

    def memories(self, project_id: str, page_size: int) -> AsyncIterator[list[UUID]]:
        """The memories that the graph knows, and those that only a relation names."""
        ...

    def flaws(
        self, project_id: str, page_size: int, *, mend: bool
    ) -> AsyncIterator[Counter[DifferenceKind]]:
        """What is wrong within the graph, page by page; with `mend` it is put right.

        That is what follows from its mentions and relations: the names of entities, entities that
        nothing mentions, and until when relations hold.
        """
        ...
