"""Counts of nothing."""

from __future__ import annotations

from datetime import date, datetime

from server.core.errors import GraphUnavailable
from server.projects.project import ChangeCounts, GraphCounts, Holdings


class FakeCounts:
    """Implements the ports of `server.projects.ports`, with what a test sets."""

    def __init__(self) -> None:
        self.held = Holdings()
        self.in_graph: GraphCounts | None = GraphCounts()
        self.asked = 0

    async def holdings(self, project_id: str, visible_on: date) -> Holdings:
        self.asked += 1
        return self.held

    async def changes(
        self, project_id: str, since: datetime, lately: datetime
    ) -> tuple[ChangeCounts, ChangeCounts]:
        return ChangeCounts(), ChangeCounts()

    async def count(self, project_id: str) -> GraphCounts:
        if self.in_graph is None:
            raise GraphUnavailable
        return self.in_graph
