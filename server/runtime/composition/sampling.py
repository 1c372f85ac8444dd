"""Sets the gauges of a process every few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from server.api.grpc.admission import Admission
from server.core.background import running
from server.core.circuit_breaker import CircuitBreaker
from server.core.errors import MemoirError
from server.core.transient_errors import GraphUnavailable
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
    """Sets the gauges of the process every few seconds."""

    outbox: Outbox
    operations: Operations
    graph: Graph
    breakers: Sequence[CircuitBreaker]
    admission: Admission
    pool_usage: Callable[[], PoolUsage]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Samples, and measures the lag of the event loop, during the block."""
        async with (
            running("sampling", self._run()),
            running("event loop", self._watch_event_loop()),
        ):
            yield

    async def _run(self) -> None:
        """Samples until it is cancelled. Values that cannot be read stay as they were."""
        while True:
            await self.sample()
            await asyncio.sleep(INTERVAL_SECONDS)

    async def sample(self) -> None:
        """Samples once, with at most two statements and one graph query."""
        self._sample_process()
        await asyncio.gather(self._sample_store(), self._sample_graph())

    async def _watch_event_loop(self) -> None:
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
        for breaker in self.breakers:
            metrics.BREAKER_OPEN.labels(breaker.name).set(breaker.refuses)

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
        metrics.OUTBOX_GIVEN_UP.set(backlog.given_up)
        metrics.OUTBOX_OLDEST_SECONDS.set(backlog.oldest_seconds)
        metrics.OPERATIONS.labels("queued").set(queue.queued)
        metrics.OPERATIONS.labels("running").set(queue.running)
        metrics.OPERATIONS.labels("failed").set(queue.given_up)
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
