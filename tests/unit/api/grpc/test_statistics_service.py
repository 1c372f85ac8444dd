"""The cost of watching statistics does not depend on the number of watchers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from memoir.v1 import statistics_service_pb2

from server.api.grpc.interceptors.access import enter_caller
from server.api.grpc.services.project import StatisticsService
from server.core.transient_errors import ShuttingDown
from server.graph.project.ports import Backlog
from server.operations.ports import QueueStatistics
from server.projects.ports import PoolUsage
from server.projects.project import Caller, ChangeCounts, ContentCounts
from server.projects.statistics import Activity, ProjectContent, ProjectStatistics
from server.telemetry.statistics import Statistics

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WATCHERS = 50


class Counting:
    """Counts the reads of each project's statistics."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, project_id: str) -> ProjectStatistics:
        self.asked.append(project_id)
        await asyncio.sleep(0)
        nothing = ChangeCounts(0, 0, 0)
        return ProjectStatistics(
            NOW,
            NOW,
            ProjectContent(ContentCounts(len(project_id), 0, 0), None),
            Activity(nothing, nothing, QueueStatistics(0, 0, 0, 0.0), Backlog(0, 0, 0.0)),
            Statistics().figures(project_id),
            PoolUsage(0, 0, 1),
        )


async def watched(service: StatisticsService, project_id: str) -> int:
    """Returns the number of memories in the first response."""
    enter_caller(Caller("key", "org", project_id))
    request = statistics_service_pb2.WatchStatisticsRequest()
    async for response in service.WatchStatistics(request, None):
        return response.statistics.store.memories
    raise AssertionError


async def test_all_watchers_of_a_project_share_its_statistics() -> None:
    get: Any = Counting()
    service = StatisticsService(get, asyncio.Event())
    seen = await asyncio.gather(
        *(watched(service, project) for project in ("a", "bb") for _ in range(WATCHERS))
    )
    assert seen == [1] * WATCHERS + [2] * WATCHERS
    assert sorted(get.asked) == ["a", "bb"]


async def test_watchers_of_a_stopping_server_get_the_reason() -> None:
    get: Any = Counting()
    draining = asyncio.Event()
    draining.set()
    with pytest.raises(ShuttingDown):
        await watched(StatisticsService(get, draining), "a")
