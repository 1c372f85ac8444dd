"""Statistics of a project: its content, its calls and its queues."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from server.core.caches import TtlCache
from server.core.clock import Clock
from server.core.transient_errors import GraphUnavailable
from server.graph.ports import Graph
from server.graph.project.ports import Backlog, Outbox
from server.memories.memory import today
from server.operations.ports import Operations, QueueStatistics
from server.projects.ports import PoolUsage, ProjectStore
from server.projects.project import ChangeCounts, ContentCounts, GraphCounts
from server.projects.quotas import QuotaUsage
from server.telemetry.statistics import Statistics, WindowFigures, joined_windows

ACTIVITY_SECONDS: Final = 0.5
"""How long recent changes and queued work are cached, in seconds, for all watchers."""

CONTENT_SECONDS: Final = 10.0
"""How long the more expensive counts of the content are cached, in seconds."""

_MOST_PROJECTS: Final = 1_000
_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ProjectContent:
    """Counts of the content; the graph's counts are None if it is unavailable."""

    store: ContentCounts
    graph: GraphCounts | None


@dataclass(frozen=True, slots=True)
class Activity:
    """Recent changes and queued work of all servers."""

    last_minute: ChangeCounts
    last_hour: ChangeCounts
    queue: QueueStatistics
    backlog: Backlog


@dataclass(frozen=True, slots=True)
class ProjectStatistics:
    """The statistics of one project. `windows` and `pool` cover all processes of the server."""

    time: datetime
    start_time: datetime
    content: ProjectContent
    activity: Activity
    windows: WindowFigures
    pool: PoolUsage
    quotas: Sequence[QuotaUsage] = ()


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """A serving process's figures of a project, and the usage of its connections."""

    windows: WindowFigures
    pool: PoolUsage


OtherProcesses: TypeAlias = Callable[[str], Awaitable[Sequence[ProcessFigures]]]


Usages: TypeAlias = Callable[[str], Awaitable[Sequence[QuotaUsage]]]


async def _no_quotas(_project_id: str) -> Sequence[QuotaUsage]:
    return ()


async def _no_other_processes(_project_id: str) -> Sequence[ProcessFigures]:
    return ()


class GetStatistics:
    """Reads statistics: at most four statements and one graph query, often none due to caches."""

    def __init__(
        self,
        projects: ProjectStore,
        graph: Graph,
        outbox: Outbox,
        operations: Operations,
        statistics: Statistics,
        pool_usage: Callable[[], PoolUsage],
        clock: Clock,
        others: OtherProcesses = _no_other_processes,
        quotas: Usages = _no_quotas,
    ) -> None:
        """`others` queries the other processes of this server, if it has several."""
        self._quotas = quotas
        self._projects = projects
        self._graph = graph
        self._outbox = outbox
        self._operations = operations
        self._statistics = statistics
        self._pool_usage = pool_usage
        self._clock = clock
        self._others = others
        self._start_time = clock.now()
        self._content = TtlCache[str, ProjectContent](CONTENT_SECONDS, _MOST_PROJECTS)
        self._activity = TtlCache[str, Activity](ACTIVITY_SECONDS, _MOST_PROJECTS)

    async def __call__(self, project_id: str) -> ProjectStatistics:
        """Returns the current statistics.

        Raises:
            StoreUnavailable: PostgreSQL cannot be reached.
        """
        content = self._content.get(project_id)
        if content is None:
            content = await self._count_content(project_id)
            self._content.put(project_id, content)
        activity = self._activity.get(project_id)
        if activity is None:
            activity = await self._count_activity(project_id)
            self._activity.put(project_id, activity)
        own = ProcessFigures(self._statistics.figures(project_id), self._pool_usage())
        processes = [own, *await self._others(project_id)]
        return ProjectStatistics(
            time=self._clock.now(),
            start_time=self._start_time,
            content=content,
            activity=activity,
            windows=joined_windows(process.windows for process in processes),
            pool=_joined_pools([process.pool for process in processes]),
            quotas=await self._quotas(project_id),
        )

    async def _count_content(self, project_id: str) -> ProjectContent:
        store, graph = await asyncio.gather(
            self._projects.count_content(project_id, today(self._clock.now())),
            self._count_graph(project_id),
        )
        return ProjectContent(store, graph)

    async def _count_graph(self, project_id: str) -> GraphCounts | None:
        try:
            return await self._graph.count(project_id)
        except GraphUnavailable:
            return None

    async def _count_activity(self, project_id: str) -> Activity:
        now = self._clock.now()
        (hour, minute), queue, backlog = await asyncio.gather(
            self._projects.count_changes(project_id, now - _HOUR, now - _MINUTE),
            self._operations.queue_statistics(project_id),
            self._outbox.backlog(project_id),
        )
        return Activity(minute, hour, queue, backlog)


def _joined_pools(pools: Sequence[PoolUsage]) -> PoolUsage:
    return PoolUsage(
        size=sum(pool.size for pool in pools),
        idle=sum(pool.idle for pool in pools),
        max_size=sum(pool.max_size for pool in pools),
    )
