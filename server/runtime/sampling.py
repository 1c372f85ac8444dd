"""Measures queues, pools, dependencies and the event loop, which calls do not measure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from server.api.grpc.admission import Admission
from server.core.errors import GraphUnavailable, MemoirError
from server.graph.ports import Graph
from server.graph.project.ports import Outbox
from server.operations.ports import Operations
from server.projects.ports import PoolUsage
from server.telemetry import metrics

INTERVAL_SECONDS = 5.0
CHECK_SECONDS = 2.0
LAG_INTERVAL_SECONDS = 0.25

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Sampler:
    """Sets the gauges of the process every few seconds.

    `open_circuits` returns for each dependency whether its circuit is open.
    """

    outbox: Outbox
    operations: Operations
    graph: Graph
    open_circuits: Callable[[], Mapping[str, bool]]
    admission: Admission
    pool_usage: Callable[[], PoolUsage]

    async def run(self) -> None:
        """Samples until it is cancelled. Values that cannot be read stay as they were."""
        while True:
            await self.sample()
            await asyncio.sleep(INTERVAL_SECONDS)

    async def sample(self) -> None:
        """Samples once, with at most two statements and one graph query."""
        self._sample_process()
        await asyncio.gather(self._sample_store(), self._sample_graph())

    async def watch_event_loop(self) -> None:
        """Measures the lag of the event loop until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_INTERVAL_SECONDS
            await asyncio.sleep(LAG_INTERVAL_SECONDS)
            metrics.EVENT_LOOP_LAG_SECONDS.observe(max(0.0, loop.time() - due))

    def _sample_process(self) -> None:
        usage = self.pool_usage()
        metrics.POOL_CONNECTIONS.labels("used").set(usage.size - usage.idle)
        metrics.POOL_CONNECTIONS.labels("idle").set(usage.idle)
        metrics.POOL_LIMIT.set(usage.max_size)
        metrics.ADMISSION_CALLS.labels("running").set(self.admission.running)
        metrics.ADMISSION_CALLS.labels("waiting").set(self.admission.waiting)
        metrics.ADMISSION_CALLS.labels("parked").set(self.admission.parked)
        for dependency, is_open in self.open_circuits().items():
            metrics.BREAKER_OPEN.labels(dependency).set(is_open)

    async def _sample_store(self) -> None:
        up = metrics.DEPENDENCY_UP.labels("postgresql")
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                backlog = await self.outbox.backlog()
                queue = await self.operations.queue_statistics()
        except (TimeoutError, MemoirError):
            up.set(0)
            return
        except Exception as error:
            log.error("sampling.failed", exc_info=error)
            return
        up.set(1)
        metrics.OUTBOX_PENDING.set(backlog.pending)
        metrics.OUTBOX_DEAD.set(backlog.dead)
        metrics.OUTBOX_OLDEST_SECONDS.set(backlog.oldest_seconds)
        metrics.OPERATIONS.labels("queued").set(queue.queued)
        metrics.OPERATIONS.labels("running").set(queue.running)
        metrics.OPERATIONS.labels("failed").set(queue.dead)
        metrics.OPERATIONS_OLDEST_SECONDS.set(queue.oldest_seconds)

    async def _sample_graph(self) -> None:
        up = metrics.DEPENDENCY_UP.labels("neo4j")
        try:
            await self.graph.check()
        except GraphUnavailable:
            up.set(0)
        except Exception as error:
            log.error("sampling.failed", exc_info=error)
        else:
            up.set(1)
