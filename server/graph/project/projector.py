"""Brings the graph up to date with the memories."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

import structlog

from server import failpoints
from server.core.background import Wakeup, backoff, give_back, keep_lease, running
from server.core.transient_errors import GraphUnavailable, StoreUnavailable
from server.graph.ports import Graph
from server.graph.project.ports import DirtyMemory, Outbox
from server.telemetry.metrics import PROJECTED, PROJECTION_FAILURES
from server.telemetry.outages import OutageLog
from server.telemetry.spans import linked_span, mark_failed

log: structlog.stdlib.BoundLogger = structlog.get_logger("server.projector")

_LOGGED_IDS = 16
_RELEASE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ProjectorOptions:
    """How a projector works.

    A claim lasts for `lease` and is renewed after every third of it, for at most `work_time`; the
    work ends shortly before the lease does. So two projectors never work on one memory, and the
    memories of a projector that died are soon free. A memory that the graph refuses on its own
    `patience` times is given up.

    The batch size starts at `first_batch` memories. It doubles after each full batch, up to
    `batch_size`, and is quartered when the graph fails, because the batch may have been too large:
    just after its start, Neo4j takes many times as long for each memory as later.

    For Neo4j a transaction with ten memories costs about as much as one with a single memory. So
    while changes keep coming, claims are at least `first_linger` apart, then twice as long each
    time up to `longest_linger`, which bounds the extra delay of a change. Work that takes longer is
    followed by the next claim at once, and so is a change after a pause.

    A graph that took `slow_preparation` has probably just started. It then rehearses `rehearsals`
    times, while nothing is to be done.
    """

    first_batch: int = 50
    batch_size: int = 400
    lease: timedelta = timedelta(seconds=6)
    work_time: timedelta = timedelta(seconds=15)
    patience: int = 3
    poll_interval: timedelta = timedelta(seconds=1)
    shortest_pause: timedelta = timedelta(milliseconds=250)
    longest_pause: timedelta = timedelta(seconds=5)
    refused_pause: timedelta = timedelta(minutes=1)
    first_linger: timedelta = timedelta(milliseconds=50)
    longest_linger: timedelta = timedelta(milliseconds=500)
    slow_preparation: timedelta = timedelta(seconds=1)
    rehearsals: int = 8

    @property
    def grace(self) -> timedelta:
        """How long work may continue after a claim or its renewal: most of the lease."""
        return self.lease * 5 / 6


class GraphProjector:
    """Takes changed memories from the outbox and projects their current state to the graph.

    Several projectors, in one process or many, share the work. `jitter` returns numbers from 0 to
    1, `monotonic` the time in seconds for `sleep`.
    """

    def __init__(
        self,
        outbox: Outbox,
        graph: Graph,
        options: ProjectorOptions | None = None,
        jitter: Callable[[], float] = random.random,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._outbox = outbox
        self._graph = graph
        self._options = options or ProjectorOptions()
        self._jitter = jitter
        self._monotonic = monotonic
        self._sleep = sleep
        self._claimed_at = -math.inf
        self._linger = timedelta(0)
        self._batch = min(self._options.first_batch, self._options.batch_size)
        self._wakeup = Wakeup(self._options.poll_interval)
        self._prepared = False
        self._rehearsals = 0

    def wake(self) -> None:
        """Wakes `run` before its next poll."""
        self._wakeup.set()

    @property
    def is_awake(self) -> bool:
        """Whether it will look for all changes that are committed now. Any thread may ask."""
        return self._wakeup.is_set

    async def run(self) -> None:
        """Projects until it is cancelled. Failures are logged and retried."""
        failures = 0
        outage = OutageLog(log, began="projector.waiting", ended="projector.resumed")
        while True:
            self._wakeup.clear()
            try:
                await self._drain()
                await self._rehearse()
            except Exception as error:  # noqa: BLE001 - projection must continue after any error
                failures += 1
                pause = self._pause(failures)
                _log_failure(error, pause, outage)
                # `wake` does not shorten this pause; otherwise each new memory would cause an
                # attempt while the graph is unavailable.
                await asyncio.sleep(pause.total_seconds())
            else:
                failures = 0
                outage.succeeded()
                await self.wait_for_work()

    async def project_once(self) -> int:
        """Projects one batch and returns the number of memories now up to date in the graph.

        If the graph is unavailable, the batch is released, to be claimed again after a pause. If
        a batch fails for another reason, its memories are tried in ever smaller groups until the
        faulty ones are isolated; these are released with a long pause, and the others are
        projected.

        Raises:
            StoreUnavailable: the outbox cannot be reached; the claimed memories become free when
                their lease expires.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        claimed = await self._outbox.claim(self._batch, self._options.lease)
        if not claimed:
            return 0
        failpoints.reach("projection.before_neo4j")
        causes = [dirty.traceparent for dirty in claimed]
        with (
            # Applies to every log line and every span in the block.
            structlog.contextvars.bound_contextvars(correlation_ids=_correlation_ids(claimed)),
            linked_span("projection", causes, {"memoir.memories": len(claimed)}),
        ):
            return await self._work(claimed, began)

    async def _work(self, claimed: Sequence[DirtyMemory], began: float) -> int:
        end = began + self._options.work_time.total_seconds()
        try:
            async with asyncio.timeout_at(min(end, self._safe_until(began))) as limit:
                async with running("projection-renewal", self._renew(claimed, limit, end)):
                    return await self._project(claimed)
        except TimeoutError as error:
            mark_failed(error)
            # Releases nothing: the lease may have expired, and another projector may be at work.
            self._prepared = False
            self._shrink_batch()
            PROJECTION_FAILURES.labels("overdue").inc()
            log.warning("projector.overdue", **_described(claimed))
            return 0
        except asyncio.CancelledError:
            await give_back(self._outbox.release(claimed, timedelta(0)), _RELEASE_SECONDS)
            raise

    def _safe_until(self, claimed_at: float) -> float:
        """Returns how long work may last after a claim or a renewal at this time."""
        return claimed_at + self._options.grace.total_seconds()

    async def _renew(
        self, claimed: Sequence[DirtyMemory], limit: asyncio.Timeout, end: float
    ) -> None:
        """Renews the claim while the work lasts; if that fails, the work ends with the lease."""

        async def renew() -> bool:
            renewed_at = asyncio.get_running_loop().time()
            await self._outbox.renew(claimed, self._options.lease)
            if not limit.expired():
                limit.reschedule(min(end, self._safe_until(renewed_at)))
            return True

        await keep_lease(
            renew,
            self._options.lease,
            lambda error: log.warning(
                "projector.lease_not_renewed", error=type(error).__qualname__
            ),
        )

    async def _drain(self) -> None:
        await self._outbox.enqueue_overdue()
        while True:
            await self._prepare()
            await self._linger_before_claim()
            limit = self._batch
            self._claimed_at = self._monotonic()
            projected = await self.project_once()
            self._choose_linger(projected, limit)
            if not projected:
                return

    async def _linger_before_claim(self) -> None:
        """Waits until some time after the last claim, so that changes accumulate."""
        remaining = self._claimed_at + self._linger.total_seconds() - self._monotonic()
        if remaining > 0:
            await self._sleep(remaining)

    def _shrink_batch(self) -> None:
        self._batch = max(1, self._batch // 4)

    def _choose_linger(self, projected: int, limit: int) -> None:
        """Sets how long after this claim the next one may be, depending on the size of this one."""
        options = self._options
        if projected >= limit:
            self._linger = timedelta(0)
        elif projected:
            self._linger = min(options.longest_linger, max(options.first_linger, 2 * self._linger))
        else:
            # Most commits have no changes for the graph; the others wake the projector and share a
            # claim.
            self._linger = options.first_linger

    async def _prepare(self) -> None:
        if self._prepared:
            return
        began = self._monotonic()
        await self._graph.prepare()
        self._prepared = True
        if self._monotonic() - began >= self._options.slow_preparation.total_seconds():
            self._rehearsals = self._options.rehearsals
        log.info("projector.graph_ready")

    async def _rehearse(self) -> None:
        """Lets the graph rehearse, unless there is work again."""
        while self._rehearsals and not self._wakeup.is_set:
            self._rehearsals -= 1
            await self._graph.rehearse()

    async def _project(self, claimed: Sequence[DirtyMemory]) -> int:
        try:
            await self._graph.project(await self._outbox.subgraphs(claimed))
        except GraphUnavailable as error:
            mark_failed(error)
            self._prepared = False
            self._shrink_batch()
            PROJECTION_FAILURES.labels("unavailable").inc()
            log.warning("projector.graph_unavailable", cause=_cause(error), **_described(claimed))
            await self._release_by_attempts(claimed)
            return 0
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of one memory must not stop the others
            return await self._project_halves(claimed, error)
        failpoints.reach("projection.after_neo4j_before_settle")
        lost = await self._outbox.settle(claimed)
        failpoints.reach("projection.after_settle")
        if lost:
            log.warning("projector.lease_lost", lost=lost, **_described(claimed))
        if len(claimed) >= self._batch:
            self._batch = min(self._options.batch_size, 2 * self._batch)
        PROJECTED.inc(len(claimed))
        log.debug("projector.projected", **_described(claimed))
        return len(claimed)

    async def _project_halves(self, claimed: Sequence[DirtyMemory], error: Exception) -> int:
        """Projects each half by itself, because one memory may have caused the error."""
        if len(claimed) == 1:
            await self._refuse(claimed[0], error)
            return 0
        middle = len(claimed) // 2
        return await self._project(claimed[:middle]) + await self._project(claimed[middle:])

    async def _refuse(self, dirty: DirtyMemory, error: Exception) -> None:
        """Releases the memory that caused the error with a long pause, or gives it up."""
        pause = self._options.refused_pause
        fault = _fault(error)
        given_up = await self._outbox.refuse(dirty, fault, pause, self._options.patience)
        details = {
            "fault": fault,
            "memory_id": str(dirty.memory_id),
            "project_id": dirty.project_id,
            "attempts": dirty.attempts,
            **_described([dirty]),
        }
        PROJECTION_FAILURES.labels("given_up" if given_up else "refused").inc()
        if given_up:
            log.error("projector.memory_given_up", **details)
        else:
            log.error(
                "projector.memory_refused", retry_after_seconds=pause.total_seconds(), **details
            )

    async def _release_by_attempts(self, claimed: Sequence[DirtyMemory]) -> None:
        ordered = sorted(claimed, key=lambda dirty: dirty.attempts)
        for attempts, group in groupby(ordered, key=lambda dirty: dirty.attempts):
            await self._outbox.release(list(group), self._pause(attempts))

    async def wait_for_work(self) -> None:
        """Waits until the next poll is due, or until it is woken."""
        await self._wakeup.wait()

    def _pause(self, attempts: int) -> timedelta:
        shortest, longest = self._options.shortest_pause, self._options.longest_pause
        return backoff(attempts, shortest, longest, self._jitter())


def _log_failure(error: Exception, pause: timedelta, outage: OutageLog) -> None:
    retry_after = pause.total_seconds()
    if isinstance(error, GraphUnavailable | StoreUnavailable):
        outage.failed(
            error=type(error).__qualname__,
            cause=_cause(error),
            retry_after_seconds=retry_after,
        )
    else:
        log.error("projector.failed", exc_info=error, retry_after_seconds=retry_after)


def _described(claimed: Sequence[DirtyMemory]) -> dict[str, object]:
    return {"memories": len(claimed), "correlation_ids": _correlation_ids(claimed)}


def _correlation_ids(claimed: Sequence[DirtyMemory]) -> list[str]:
    return list(dict.fromkeys(dirty.correlation_id for dirty in claimed))[:_LOGGED_IDS]


def _fault(error: Exception) -> str:
    """Returns the kinds of the errors, not their texts, which may quote a memory."""
    kinds = (type(error).__qualname__, _cause(error))
    return " from ".join(kind for kind in kinds if kind)


def _cause(error: Exception) -> str | None:
    """Returns the kind of the error's cause, not its text, which may quote a memory."""
    return type(error.__cause__).__qualname__ if error.__cause__ else None
