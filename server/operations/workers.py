"""The workers that perform asynchronous calls, in every server."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeAlias

import structlog
from pydantic import BaseModel, ConfigDict, Field

from server import failpoints
from server.core.background import Background, Wakeup, backoff, give_back, keep_lease, running
from server.core.errors import (
    ConcurrentChange,
    DeadlineExceeded,
    ExtractionFailed,
    MemoirError,
    OperationAbandoned,
)
from server.core.fairness import Holdings, share_of
from server.core.request_context import (
    BackgroundPlace,
    RequestContext,
    TenantTurn,
    at_once,
    current_request,
    enter_origin,
    enter_place,
    enter_project,
    enter_request,
    take_turn,
)
from server.core.transient_errors import ModelQuotaExhausted, Retryable
from server.memories.add.add_memories import AddMemoriesOutcome
from server.operations.ports import ClaimedOperation, Operations, Shares
from server.telemetry.metrics import OPERATION_ATTEMPTS
from server.telemetry.outages import OutageLog
from server.telemetry.spans import current_traceparent, linked_span, mark_failed

Perform: TypeAlias = Callable[[ClaimedOperation], Awaitable[AddMemoriesOutcome]]
Describe: TypeAlias = Callable[[Exception, str], bytes]

_RELEASE_SECONDS = 2.0
_PRUNED_AT_ONCE = 500

log = structlog.get_logger()


class OperationLimits(BaseModel):
    """Limits on operations. The names contain the units of time.

    A project gets only a share of `concurrency` (see `server.core.fairness`).
    """

    model_config = ConfigDict(frozen=True)

    concurrency: int = Field(
        default=10, ge=0, description="Concurrent operations in this server; 0 runs none."
    )
    attempt_seconds: float = Field(
        default=120.0, gt=0, description="Time for one attempt at an operation."
    )
    max_failures: int = Field(
        default=5,
        ge=1,
        description="Failed or crashed attempts after which an operation is given up.",
    )
    retention_hours: int = Field(
        default=168, ge=24, description="How long a finished operation is kept."
    )
    request_id_hours: int = Field(
        default=168, ge=24, description="How long the request id of any call is remembered."
    )


@dataclass(frozen=True, slots=True)
class WorkerTimes:
    """When workers look for operations and retry them.

    A lease is renewed after every third of its length. Transient faults are retried until the
    operation is `give_up_after` old.
    """

    lease: timedelta = timedelta(seconds=15)
    give_up_after: timedelta = timedelta(hours=24)
    poll_interval: timedelta = timedelta(seconds=1)
    prune_interval: timedelta = timedelta(minutes=10)
    shortest_pause: timedelta = timedelta(milliseconds=500)
    longest_pause: timedelta = timedelta(minutes=1)


class OperationWorkers:
    """Claims operations and performs them: one at a time in a scope, several scopes at once.

    `perform` does the work of one operation; `describe` encodes an error for the client under a
    correlation id; `on_done` is called when operations have ended. `take_turn` waits until the work
    of a project may take its next step, like the project's calls.
    """

    def __init__(
        self,
        queue: Operations,
        perform: Perform,
        describe: Describe,
        on_done: Callable[[], None],
        limits: OperationLimits,
        times: WorkerTimes = WorkerTimes(),
        jitter: Callable[[], float] = random.random,
        take_turn: TenantTurn = at_once,
    ) -> None:
        self._queue = queue
        self._perform = perform
        self._describe = describe
        self._on_done = on_done
        self._limits = limits
        self._take_turn = take_turn
        self._times = times
        self._jitter = jitter
        self._wakeup = Wakeup(self._times.poll_interval)
        self._running = Background("operation")
        self._held = Holdings()
        self._is_stopping = False

    def wake(self) -> None:
        """Wakes `run`, because there may be something to do."""
        self._wakeup.set()

    def stop_claiming(self) -> None:
        """Stops claiming; running operations continue."""
        self._is_stopping = True

    async def run(self) -> None:
        """Works until it is cancelled, then releases unfinished operations at once."""
        outage = OutageLog(log, began="operations.waiting", ended="operations.resumed")
        try:
            while True:
                self._wakeup.clear()
                found = 0
                try:
                    found = await self.begin()
                    outage.succeeded()
                except MemoirError as error:
                    outage.failed(error=type(error).__name__)
                except Exception as error:
                    log.error("operations.failed", exc_info=error)
                if not found:
                    await self._wakeup.wait()
        finally:
            await self._running.cancel()

    async def begin(self) -> int:
        """Claims and starts as many operations as there is room for, and returns their number."""
        room = self._limits.concurrency - len(self._running)
        if room <= 0 or self._is_stopping:
            return 0
        shares = Shares(share_of(self._limits.concurrency), self._held.amounts())
        claimed = await self._queue.claim(room, self._times.lease, shares)
        for operation in claimed:
            self._held.add(operation.project_id)
            self._running.start(
                self._work(operation), on_end=partial(self._ended, operation.project_id)
            )
        return len(claimed)

    def _ended(self, project_id: str) -> None:
        """Called when an attempt has ended, so that the next operation of the scope can begin."""
        self._held.subtract(project_id)
        self.wake()

    async def finish(self) -> None:
        """Waits for every operation that was started."""
        await self._running.finish()

    async def prune_forever(self) -> None:
        """Prunes old operations and request ids, in small batches, until it is cancelled."""
        finished = timedelta(hours=self._limits.retention_hours)
        request_ids = timedelta(hours=self._limits.request_id_hours)
        while True:
            try:
                while await self._queue.prune(finished, _PRUNED_AT_ONCE):
                    pass
                while await self._queue.release_request_ids(request_ids, _PRUNED_AT_ONCE):
                    pass
            except MemoirError as error:
                log.warning("operations.not_pruned", error=type(error).__name__)
            await asyncio.sleep(self._times.prune_interval.total_seconds())

    async def _work(self, claimed: ClaimedOperation) -> None:
        """Makes one attempt, in its own task, and always reports its outcome to the queue."""
        structlog.contextvars.bind_contextvars(correlation_id=claimed.correlation_id)
        enter_origin(claimed.origin)
        enter_place(BackgroundPlace(claimed.project_id, self._take_turn))
        enter_project(claimed.project_id)
        try:
            with linked_span("operation", [claimed.traceparent], _attributes(claimed)):
                traceparent = current_traceparent() or claimed.traceparent
                enter_request(RequestContext(claimed.correlation_id, float("inf"), traceparent))
                await self._attempt(claimed)
        except asyncio.CancelledError:
            release = self._queue.release(claimed, timedelta(0), is_failure=False)
            await give_back(release, _RELEASE_SECONDS)
            raise
        except Exception as error:
            log.warning("operation.not_settled", exc_info=error, **_described(claimed))

    async def _attempt(self, claimed: ClaimedOperation) -> None:
        if claimed.failures > self._limits.max_failures:
            await self._give_up(claimed, OperationAbandoned(claimed.attempts - 1))
            return
        failpoints.reach("operation.claimed")
        try:
            outcome = await self._within_lease(claimed)
        except Exception as error:  # noqa: BLE001 - handled by its kind
            await self._settle_failure(claimed, error)
            return
        if outcome.call_id != claimed.lease.operation_id:
            # Another call with the same request id has already taken effect.
            await self._queue.succeed(claimed, outcome.call_id)
        OPERATION_ATTEMPTS.labels("succeeded").inc()
        log.info("operation.succeeded", **_described(claimed))
        self._on_done()

    async def _within_lease(self, claimed: ClaimedOperation) -> AddMemoriesOutcome:
        seconds = self._limits.attempt_seconds
        request = current_request()
        enter_request(request.until(time.monotonic() + seconds))
        try:
            async with asyncio.timeout(seconds) as limit:
                async with running("operation-renewal", self._renew(claimed, limit)):
                    await take_turn()
                    return await self._perform(claimed)
        except TimeoutError as error:
            raise DeadlineExceeded from error
        finally:
            enter_request(request)

    async def _renew(self, claimed: ClaimedOperation, limit: asyncio.Timeout) -> None:
        """Renews the lease, and ends the attempt when it is lost by cancellation or takeover."""
        await keep_lease(
            lambda: self._queue.renew(claimed, self._times.lease),
            self._times.lease,
            lambda error: log.warning("operation.lease_not_renewed", error=type(error).__name__),
        )
        log.info("operation.lease_lost", **_described(claimed))
        if not limit.expired():
            limit.reschedule(asyncio.get_running_loop().time())

    async def _settle_failure(self, claimed: ClaimedOperation, error: Exception) -> None:
        mark_failed(error)
        transient = _is_transient(error)
        if self._is_final(claimed, error, transient=transient):
            await self._give_up(claimed, error)
            return
        pause = self._pause(claimed, error)
        fault = _fault(error)
        kept = await self._queue.release(claimed, pause, is_failure=not transient, fault=fault)
        is_quota = isinstance(error, ModelQuotaExhausted)
        OPERATION_ATTEMPTS.labels("quota_exhausted" if is_quota else "failed").inc()
        log.warning(
            "operation.attempt_failed",
            fault=fault,
            retry_after_seconds=pause.total_seconds() if kept else None,
            exc_info=None if isinstance(error, MemoirError) else error,
            **_described(claimed),
        )

    def _is_final(self, claimed: ClaimedOperation, error: Exception, *, transient: bool) -> bool:
        if isinstance(error, ModelQuotaExhausted):
            return False
        if transient:
            return claimed.age > self._times.give_up_after
        if _may_be_its_own_fault(error):
            return claimed.failures >= self._limits.max_failures
        return True

    def _pause(self, claimed: ClaimedOperation, error: Exception) -> timedelta:
        shortest, longest = self._times.shortest_pause, self._times.longest_pause
        pause = backoff(claimed.attempts, shortest, longest, self._jitter())
        if isinstance(error, Retryable):
            # The pauses vary, so that not all retry at once when the quota's window ends.
            return max(pause, error.retry_after * (1 + self._jitter() / 4))
        return pause

    async def _give_up(self, claimed: ClaimedOperation, error: Exception) -> None:
        status = self._describe(error, claimed.correlation_id)
        await self._queue.fail(claimed, _fault(error), status)
        OPERATION_ATTEMPTS.labels("given_up").inc()
        log.error(
            "operation.given_up",
            fault=_fault(error),
            exc_info=None if isinstance(error, MemoirError) else error,
            **_described(claimed),
        )
        self._on_done()


def _is_transient(error: Exception) -> bool:
    return isinstance(error, Retryable | ConcurrentChange)


def _may_be_its_own_fault(error: Exception) -> bool:
    """Whether the call itself may have caused the failure, which another attempt can confirm."""
    return isinstance(error, ExtractionFailed | DeadlineExceeded) or not isinstance(
        error, MemoirError
    )


def _fault(error: Exception) -> str:
    """Returns the kind of error, not its text, which may quote a memory."""
    return type(error).__name__


def _attributes(claimed: ClaimedOperation) -> dict[str, str | int]:
    return {f"memoir.{name}": value for name, value in _described(claimed).items()}


def _described(claimed: ClaimedOperation) -> dict[str, str | int]:
    return {
        "operation_id": str(claimed.lease.operation_id),
        "project_id": claimed.project_id,
        "attempts": claimed.attempts,
    }
