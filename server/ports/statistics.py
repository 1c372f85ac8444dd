"""Counting what a project holds."""

from __future__ import annotations

from datetime import date, datetime
from typing import Protocol

from server.domain.statistics import ChangeCounts, GraphCounts, Holdings


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
