"""The outcomes of attempts, and what a worker does for each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, format_trace_id
from structlog.testing import capture_logs

from server.core.errors import ConcurrentChange, ExtractionFailed, RequestIdReused
from server.core.request_context import current_request, current_tenant, take_turn
from server.core.transient_errors import ModelQuotaExhausted, ModelUnavailable, StoreUnavailable
from server.memories.add.add_memories import AddMemoriesOutcome
from server.operations.operation import OperationLease
from server.operations.ports import ClaimedOperation, Shares
from server.operations.workers import OperationLimits, OperationWorkers, WorkerTimes
from server.telemetry.metrics import REGISTRY
from tests.support.fake_operations import FakeOperations

LIMITS = OperationLimits(concurrency=2, max_failures=3)


def operation(*, failures: int = 1, age: timedelta = timedelta(0)) -> ClaimedOperation:
    return ClaimedOperation(
        project_id="p",
        lease=OperationLease(uuid4(), uuid4()),
        payload=b"",
        correlation_id="c1",
        create_time=datetime(2026, 1, 1, tzinfo=UTC),
        attempts=failures,
        failures=failures,
        age=age,
    )


@dataclass
class FakeQueue(FakeOperations):
    """Hands out the given operations, and records their outcomes."""

    free: list[ClaimedOperation] = field(default_factory=list)
    given_back: list[tuple[timedelta, bool]] = field(default_factory=list)
    succeeded: list[UUID] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    shares: list[Shares] = field(default_factory=list)

    async def claim(
        self, limit: int, duration: timedelta, shares: Shares
    ) -> Sequence[ClaimedOperation]:
        self.shares.append(shares)
        claimed, self.free = self.free[:limit], self.free[limit:]
        return claimed

    async def renew(self, claimed: ClaimedOperation, duration: timedelta) -> bool:
        return True

    async def release(
        self,
        claimed: ClaimedOperation,
        delay: timedelta,
        *,
        is_failure: bool,
        fault: str | None = None,
    ) -> bool:
        self.given_back.append((delay, is_failure))
        return True

    async def succeed(self, claimed: ClaimedOperation, call_id: UUID) -> bool:
        self.succeeded.append(call_id)
        return True

    async def fail(self, claimed: ClaimedOperation, fault: str, error: bytes) -> bool:
        self.failed.append(fault)
        return True


def outcome(call_id: UUID) -> AddMemoriesOutcome:
    return AddMemoriesOutcome(call_id, [], [], 1, "e", None)


async def attempt(claimed: ClaimedOperation, error: Exception | None) -> FakeQueue:
    """Runs one attempt that ends with `error`, or takes effect."""
    queue = FakeQueue(free=[claimed])

    async def perform(given: ClaimedOperation) -> AddMemoriesOutcome:
        if error is not None:
            raise error
        return outcome(given.lease.operation_id)

    workers = OperationWorkers(
        queue, perform, lambda *_: b"", lambda: None, LIMITS, jitter=lambda: 0.0
    )
    await workers.begin()
    await workers.finish()
    return queue


@pytest.mark.parametrize(
    ("error", "status"), [(None, StatusCode.UNSET), (ModelUnavailable("m"), StatusCode.ERROR)]
)
async def test_an_attempt_links_to_the_call_that_created_the_operation(
    exported: InMemorySpanExporter, error: Exception | None, status: StatusCode
) -> None:
    await attempt(replace(operation(), traceparent=f"00-{'a' * 32}-{'b' * 16}-01"), error)
    (span,) = exported.get_finished_spans()
    assert (span.name, span.status.status_code) == ("operation", status)
    assert [format_trace_id(link.context.trace_id) for link in span.links] == ["a" * 32]
    assert (span.attributes or {})["memoir.correlation_id"] == "c1"


async def test_a_committed_operation_needs_no_further_step() -> None:
    queue = await attempt(operation(), None)
    assert (queue.succeeded, queue.given_back, queue.failed) == ([], [], [])


async def test_the_effect_of_an_equal_call_ends_the_operation() -> None:
    queue, other = FakeQueue(free=[operation()]), uuid4()

    async def perform(_claimed: ClaimedOperation) -> AddMemoriesOutcome:
        return outcome(other)

    workers = OperationWorkers(queue, perform, lambda *_: b"", lambda: None, LIMITS)
    await workers.begin()
    await workers.finish()
    assert queue.succeeded == [other]


@pytest.mark.parametrize("error", [ModelUnavailable("m"), StoreUnavailable(), ConcurrentChange()])
async def test_transient_faults_do_not_count(error: Exception) -> None:
    queue = await attempt(operation(failures=3), error)
    assert [counts for _, counts in queue.given_back] == [False]
    assert not queue.failed


async def test_transient_faults_end_an_old_operation() -> None:
    queue = await attempt(operation(age=timedelta(hours=25)), StoreUnavailable())
    assert queue.failed == ["StoreUnavailable"]


async def test_an_operation_waits_for_an_exhausted_quota_without_limit() -> None:
    window = timedelta(minutes=10)
    parked = parked_attempts()
    queue = await attempt(operation(age=timedelta(days=9)), ModelQuotaExhausted("m", window))
    assert queue.given_back == [(window, False)]
    assert parked_attempts() == parked + 1


def parked_attempts() -> float:
    name, labels = "memoir_operation_attempts_total", {"outcome": "quota_exhausted"}
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize("error", [ExtractionFailed("m", "empty"), RuntimeError("a fault")])
async def test_an_operation_is_given_up_after_too_many_faults(error: Exception) -> None:
    assert [c for _, c in (await attempt(operation(failures=2), error)).given_back] == [True]
    assert (await attempt(operation(failures=3), error)).failed == [type(error).__name__]


async def test_an_operation_that_crashed_too_often_is_not_started_again() -> None:
    assert (await attempt(operation(failures=4), None)).failed == ["OperationAbandoned"]


async def test_permanent_errors_end_an_operation_at_once() -> None:
    assert (await attempt(operation(), RequestIdReused(uuid4()))).failed == ["RequestIdReused"]


async def test_an_attempt_has_the_calls_correlation_id_and_a_deadline() -> None:
    seen = []

    async def perform(claimed: ClaimedOperation) -> AddMemoriesOutcome:
        seen.append((current_request().correlation_id, current_request().remaining()))
        return outcome(claimed.lease.operation_id)

    workers = OperationWorkers(
        FakeQueue(free=[operation()]), perform, lambda *_: b"", lambda: None, LIMITS
    )
    await workers.begin()
    await workers.finish()
    [(correlation_id, seconds)] = seen
    assert correlation_id == "c1"
    assert seconds <= LIMITS.attempt_seconds


class FailingQueue(FakeQueue):
    """Is unreachable a few times."""

    failures: int = 3

    async def claim(
        self, limit: int, duration: timedelta, shares: Shares
    ) -> Sequence[ClaimedOperation]:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable
        return await super().claim(limit, duration, shares)


async def test_an_outage_of_the_store_and_its_end_are_each_logged_once() -> None:
    begun = asyncio.Event()

    async def perform(claimed: ClaimedOperation) -> AddMemoriesOutcome:
        begun.set()
        return outcome(claimed.lease.operation_id)

    quick = WorkerTimes(poll_interval=timedelta(milliseconds=1))
    workers = OperationWorkers(
        FailingQueue(free=[operation()]), perform, lambda *_: b"", lambda: None, LIMITS, quick
    )
    with capture_logs() as lines:
        running = asyncio.create_task(workers.run())
        await begun.wait()
        running.cancel()
        await asyncio.wait([running])
    events = [line["event"] for line in lines if line["event"].startswith("operations.")]
    assert events == ["operations.waiting", "operations.resumed"]


async def test_a_claim_contains_the_running_operations_of_each_project() -> None:
    queue = FakeQueue(free=[operation(), operation()])
    may_end = asyncio.Event()
    tenants: list[str | None] = []

    async def perform(claimed: ClaimedOperation) -> AddMemoriesOutcome:
        tenants.append(current_tenant())
        await may_end.wait()
        return outcome(claimed.lease.operation_id)

    limits = OperationLimits(concurrency=4)
    workers = OperationWorkers(queue, perform, lambda *_: b"", lambda: None, limits)
    await workers.begin()
    await workers.begin()
    may_end.set()
    await workers.finish()
    await workers.begin()
    assert queue.shares == [Shares(3), Shares(3, {"p": 2}), Shares(3)]
    assert tenants == ["p", "p"]


async def test_operations_wait_for_the_turns_of_their_project() -> None:
    may_go_on: list[asyncio.Future[None]] = []
    steps: list[str] = []

    async def wait_for_turn(tenant: str) -> None:
        steps.append(f"{tenant} waits")
        may_go_on.append(asyncio.get_running_loop().create_future())
        await may_go_on[-1]

    async def perform(claimed: ClaimedOperation) -> AddMemoriesOutcome:
        steps.append("begun")
        await take_turn()
        steps.append("done")
        return outcome(claimed.lease.operation_id)

    workers = OperationWorkers(
        FakeQueue(free=[operation()]),
        perform,
        lambda *_: b"",
        lambda: None,
        LIMITS,
        take_turn=wait_for_turn,
    )
    await workers.begin()
    for expected in ["p waits"], ["p waits", "begun", "p waits"]:
        for _ in range(10):
            await asyncio.sleep(0)
        assert steps == expected
        may_go_on[-1].set_result(None)
    await workers.finish()
    assert steps[-1] == "done"


async def test_work_is_limited_and_released_when_the_server_stops() -> None:
    queue = FakeQueue(free=[operation() for _ in range(5)])
    begun = asyncio.Semaphore(0)

    async def perform(_claimed: ClaimedOperation) -> AddMemoriesOutcome:
        begun.release()
        await asyncio.Event().wait()
        raise AssertionError

    workers = OperationWorkers(queue, perform, lambda *_: b"", lambda: None, LIMITS)
    running = asyncio.create_task(workers.run())
    for _ in range(LIMITS.concurrency):
        await begun.acquire()
    assert len(queue.free) == 3
    running.cancel()
    await asyncio.wait([running])
    assert queue.given_back == [(timedelta(0), False)] * 2
