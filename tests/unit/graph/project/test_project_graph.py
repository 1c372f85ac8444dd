"""The projector processes the outbox and survives failures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import islice
from uuid import UUID

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, format_trace_id
from structlog.testing import capture_logs

from server.core.errors import GraphUnavailable, StoreUnavailable
from server.graph.model import MemorySubgraph
from server.graph.project.ports import DirtyMemory
from server.graph.project.projector import GraphProjector, ProjectorOptions
from tests.support.fake_graph import FakeGraph
from tests.support.fake_outbox import FakeOutbox

PROJECT = "project-1"
SECOND = timedelta(seconds=1)
PATIENCE_SECONDS = 10
OnProject = Callable[[Sequence[UUID]], Awaitable[None]]
QUICK = ProjectorOptions(
    poll_interval=timedelta(milliseconds=1),
    shortest_pause=timedelta(milliseconds=1),
    longest_pause=timedelta(milliseconds=2),
)


@dataclass
class HeldOutbox(FakeOutbox):
    """Rows in memory; a claimed row is held until it is settled or released."""

    free: list[DirtyMemory] = field(default_factory=list)
    settled: list[UUID] = field(default_factory=list)
    released: dict[UUID, timedelta] = field(default_factory=dict)
    leases: list[timedelta] = field(default_factory=list)
    claims: int = 0
    failures: list[Exception] = field(default_factory=list)
    empty: asyncio.Event = field(default_factory=asyncio.Event)
    renewed: asyncio.Event = field(default_factory=asyncio.Event)
    renew_failures: list[Exception] = field(default_factory=list)
    lost: int = 0
    refusals: int = 0
    faults: list[str] = field(default_factory=list)

    async def claim(self, limit: int, lease: timedelta) -> list[DirtyMemory]:
        self.claims += 1
        self.leases.append(lease)
        if self.failures:
            raise self.failures.pop()
        claimed, self.free = self.free[:limit], self.free[limit:]
        if not claimed:
            self.empty.set()
        return claimed

    async def subgraphs(self, claimed: Sequence[DirtyMemory]) -> list[MemorySubgraph]:
        return [MemorySubgraph(PROJECT, dirty.memory_id, exists=False) for dirty in claimed]

    async def renew(self, claimed: Sequence[DirtyMemory], lease: timedelta) -> None:
        self.renewed.set()
        if self.renew_failures:
            raise self.renew_failures.pop()

    async def settle(self, claimed: Sequence[DirtyMemory]) -> int:
        self.settled += [dirty.memory_id for dirty in claimed]
        return self.lost

    async def refuse(
        self, refused: DirtyMemory, fault: str, retry_after: timedelta, patience: int
    ) -> bool:
        self.released |= {refused.memory_id: retry_after}
        self.faults.append(fault)
        return self.refusals + 1 >= patience

    async def release(self, claimed: Sequence[DirtyMemory], retry_after: timedelta) -> None:
        self.released |= {dirty.memory_id: retry_after for dirty in claimed}


async def _nothing(batch: Sequence[UUID]) -> None:
    """Does nothing, as a healthy graph."""


class BatchedGraph(FakeGraph):
    """Records batches; `on_project` can refuse or delay one."""

    def __init__(self, on_project: OnProject = _nothing) -> None:
        super().__init__()
        self.on_project = on_project
        self.batches: list[list[UUID]] = []
        self.prepared = 0
        self.prepare_failures: list[Exception] = []
        self.on_prepare: Callable[[], None] = lambda: None
        self.on_rehearse: Callable[[], None] = lambda: None

    async def prepare(self) -> None:
        if self.prepare_failures:
            raise self.prepare_failures.pop()
        self.prepared += 1
        self.on_prepare()

    async def rehearse(self) -> None:
        self.on_rehearse()

    async def project(self, subgraphs: Sequence[MemorySubgraph]) -> None:
        batch = [subgraph.memory_id for subgraph in subgraphs]
        await self.on_project(batch)
        self.batches.append(batch)


def dirty(number: int, attempts: int = 1) -> DirtyMemory:
    return DirtyMemory(PROJECT, UUID(int=number), 1, attempts, f"call-{number}", UUID(int=0))


def ids(*numbers: int) -> list[UUID]:
    return [UUID(int=number) for number in numbers]


def refusing(
    error: Exception, numbers: Iterable[int]
) -> Callable[[Sequence[UUID]], Awaitable[None]]:
    bad = set(ids(*numbers))

    async def refuse(batch: Sequence[UUID]) -> None:
        if bad.intersection(batch):
            raise error

    return refuse


def projector(
    outbox: HeldOutbox,
    graph: BatchedGraph,
    options: ProjectorOptions | None = None,
    chance: float = 1,
) -> GraphProjector:
    return GraphProjector(outbox, graph, options, jitter=lambda: chance)


@asynccontextmanager
async def running(subject: GraphProjector) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(subject.run())
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield task
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_batch_is_projected_and_settled() -> None:
    outbox, graph = HeldOutbox(free=[dirty(1), dirty(2), dirty(3)]), BatchedGraph()
    subject = projector(outbox, graph, ProjectorOptions(batch_size=2))
    assert [await subject.project_once() for _ in range(3)] == [2, 1, 0]
    assert graph.batches == [ids(1, 2), ids(3)]
    assert outbox.settled == ids(1, 2, 3)
    assert not outbox.released


@pytest.mark.parametrize("is_away", [False, True])
async def test_a_projection_links_back_to_all_its_calls(
    exported: InMemorySpanExporter, is_away: bool
) -> None:
    traces = ["a" * 32, "b" * 32]
    claimed = [
        replace(dirty(number), traceparent=f"00-{trace}-{'c' * 16}-01")
        for number, trace in enumerate(traces, 1)
    ]
    graph = BatchedGraph(on_project=refusing(GraphUnavailable(), [1] if is_away else []))
    await projector(HeldOutbox(free=claimed), graph).project_once()
    (span,) = exported.get_finished_spans()
    assert [format_trace_id(link.context.trace_id) for link in span.links] == traces
    assert (span.attributes or {})["memoir.correlation_ids"] == ("call-1", "call-2")
    assert span.status.status_code is (StatusCode.ERROR if is_away else StatusCode.UNSET)


async def test_work_ends_before_its_lease() -> None:
    outbox, options = HeldOutbox(), ProjectorOptions()
    await projector(outbox, BatchedGraph()).project_once()
    assert outbox.leases == [options.lease]
    assert options.lease / 3 < options.grace < options.lease


async def test_a_lease_is_renewed_while_the_work_lasts() -> None:
    """The work takes longer than a lease and is not interrupted."""
    outbox = HeldOutbox(free=[dirty(1)])
    rounds = 0

    async def wait_for_renewals(batch: Sequence[UUID]) -> None:
        nonlocal rounds
        while rounds < 4:
            outbox.renewed.clear()
            await outbox.renewed.wait()
            rounds += 1

    options = ProjectorOptions(lease=timedelta(seconds=1))
    assert (
        await projector(outbox, BatchedGraph(on_project=wait_for_renewals), options).project_once()
        == 1
    )
    assert outbox.settled == ids(1)


async def test_a_lost_lease_ends_the_work() -> None:
    async def hang(batch: Sequence[UUID]) -> None:
        await asyncio.Event().wait()

    failures: list[Exception] = [StoreUnavailable() for _ in range(100)]
    outbox = HeldOutbox(free=[dirty(1)], renew_failures=failures)
    options = ProjectorOptions(lease=timedelta(milliseconds=60))
    with capture_logs() as logs:
        assert await projector(outbox, BatchedGraph(on_project=hang), options).project_once() == 0
    assert (outbox.settled, outbox.released) == ([], {})
    events = [entry["event"] for entry in logs]
    assert set(events[:-1]) == {"projector.lease_not_renewed"}
    assert events[-1] == "projector.overdue"


async def test_rows_taken_over_by_another_projector_are_logged() -> None:
    outbox = HeldOutbox(free=[dirty(1)], lost=1)
    with capture_logs() as logs:
        await projector(outbox, BatchedGraph()).project_once()
    assert [entry["lost"] for entry in logs if entry["event"] == "projector.lease_lost"] == [1]


async def test_a_memory_that_is_refused_repeatedly_is_given_up() -> None:
    graph = BatchedGraph(on_project=refusing(ValueError("secret text of a memory"), [1]))
    outbox = HeldOutbox(free=[dirty(1)], refusals=2)
    with capture_logs() as logs:
        await projector(outbox, graph, ProjectorOptions(patience=3)).project_once()
    [event] = [entry for entry in logs if entry["event"] == "projector.memory_given_up"]
    assert (event["memory_id"], event["correlation_ids"]) == (str(UUID(int=1)), ["call-1"])
    assert outbox.faults == ["ValueError"]
    assert "secret" not in str(logs)


async def test_an_unavailable_graph_gets_the_batch_again_after_growing_pauses() -> None:
    outbox = HeldOutbox(free=[dirty(1, 1), dirty(2, 3), dirty(3, 1), dirty(4, 10_000)])
    graph = BatchedGraph(on_project=refusing(GraphUnavailable(), [1]))
    options = ProjectorOptions(shortest_pause=SECOND, longest_pause=60 * SECOND)
    with capture_logs() as logs:
        assert await projector(outbox, graph, options).project_once() == 0
    assert outbox.settled == []
    assert outbox.released == dict(
        zip(ids(1, 3, 2, 4), [SECOND, SECOND, 4 * SECOND, 60 * SECOND], strict=True)
    )
    [event] = logs
    assert event["event"] == "projector.graph_unavailable"
    assert event["correlation_ids"] == ["call-1", "call-2", "call-3", "call-4"]


async def test_jitter_shortens_a_pause_by_at_most_half() -> None:
    outbox, graph = (
        HeldOutbox(free=[dirty(1)]),
        BatchedGraph(on_project=refusing(GraphUnavailable(), [1])),
    )
    options = ProjectorOptions(shortest_pause=SECOND, longest_pause=60 * SECOND)
    await projector(outbox, graph, options, chance=0).project_once()
    assert outbox.released == {UUID(int=1): SECOND / 2}


@pytest.mark.parametrize("bad", [[3], [1], [5], [2, 4], [1, 2, 3, 4, 5]])
async def test_memories_that_cannot_be_projected_do_not_block_others(bad: list[int]) -> None:
    outbox = HeldOutbox(free=[dirty(number) for number in range(1, 6)])
    graph = BatchedGraph(on_project=refusing(ValueError("secret text of a memory"), bad))
    options = ProjectorOptions(refused_pause=300 * SECOND)
    good = [number for number in range(1, 6) if number not in bad]
    with capture_logs() as logs:
        assert await projector(outbox, graph, options).project_once() == len(good)
    assert sorted(outbox.settled) == ids(*good)
    assert outbox.released == dict.fromkeys(ids(*bad), 300 * SECOND)
    refused = [entry for entry in logs if entry["event"] == "projector.memory_refused"]
    assert [entry["memory_id"] for entry in refused] == [str(memory) for memory in ids(*bad)]
    assert [entry["correlation_ids"] for entry in refused] == [[f"call-{n}"] for n in bad]
    assert "secret" not in str(logs)


async def test_work_that_takes_too_long_is_abandoned_with_its_claim() -> None:
    async def hang(batch: Sequence[UUID]) -> None:
        await asyncio.Event().wait()

    outbox = HeldOutbox(free=[dirty(1)])
    options = ProjectorOptions(work_time=timedelta(milliseconds=20))
    with capture_logs() as logs:
        assert await projector(outbox, BatchedGraph(on_project=hang), options).project_once() == 0
    assert (outbox.settled, outbox.released) == ([], {})
    assert [entry["event"] for entry in logs] == ["projector.overdue"]


async def test_an_unavailable_store_is_an_error_of_the_caller() -> None:
    outbox = HeldOutbox(free=[dirty(1)], failures=[StoreUnavailable()])
    with pytest.raises(StoreUnavailable):
        await projector(outbox, BatchedGraph()).project_once()


async def test_cancelled_work_is_released_at_once() -> None:
    begun = asyncio.Event()

    async def hang(batch: Sequence[UUID]) -> None:
        begun.set()
        await asyncio.Event().wait()

    outbox = HeldOutbox(free=[dirty(1)])
    async with running(projector(outbox, BatchedGraph(on_project=hang), QUICK)):
        await begun.wait()
    assert outbox.released == {UUID(int=1): timedelta(0)}


async def test_run_empties_the_outbox_and_waits_for_the_next_poll() -> None:
    outbox, graph = HeldOutbox(free=[dirty(1), dirty(2), dirty(3)]), BatchedGraph()
    async with running(projector(outbox, graph, replace(QUICK, batch_size=1))):
        await outbox.empty.wait()
        assert outbox.settled == ids(1, 2, 3)
        outbox.free.append(dirty(4))
        outbox.empty.clear()
        await outbox.empty.wait()
    assert outbox.settled[:4] == ids(1, 2, 3, 4)
    assert graph.prepared == 1


async def test_run_is_woken_before_its_poll() -> None:
    outbox, graph = HeldOutbox(), BatchedGraph()
    subject = projector(outbox, graph, replace(QUICK, poll_interval=3600 * SECOND))
    async with running(subject):
        await outbox.empty.wait()
        outbox.free.append(dirty(1))
        outbox.empty.clear()
        was_awake = subject.is_awake
        subject.wake()
        assert (was_awake, subject.is_awake) == (False, True)
        await outbox.empty.wait()
    assert outbox.settled == ids(1)


async def test_a_wake_during_the_work_is_not_lost() -> None:
    outbox = HeldOutbox(free=[dirty(1)])
    graph = BatchedGraph()
    subject = projector(outbox, graph, replace(QUICK, poll_interval=3600 * SECOND))

    async def wake(batch: Sequence[UUID]) -> None:
        subject.wake()

    graph.on_project = wake
    async with running(subject):
        while outbox.claims < 3:
            await outbox.empty.wait()
            outbox.empty.clear()
    assert outbox.settled == ids(1)


async def test_run_claims_nothing_while_the_graph_is_unavailable() -> None:
    outbox = HeldOutbox(free=[dirty(1)])
    graph = BatchedGraph()
    graph.prepare_failures = [GraphUnavailable(), GraphUnavailable()]
    with capture_logs() as logs:
        async with running(projector(outbox, graph, QUICK)):
            await outbox.empty.wait()
    assert outbox.settled == ids(1)
    # However often the graph was tried in the meantime.
    assert [entry["event"] for entry in logs][:2] == ["projector.waiting", "projector.graph_ready"]
    assert outbox.leases == [QUICK.lease] * outbox.claims


async def test_run_prepares_the_graph_again_after_an_outage() -> None:
    outbox = HeldOutbox(free=[dirty(1), dirty(2)])
    graph = BatchedGraph(on_project=refusing(GraphUnavailable(), [1]))
    async with running(projector(outbox, graph, replace(QUICK, batch_size=1))):
        await outbox.empty.wait()
    assert UUID(int=1) in outbox.released
    assert outbox.settled == ids(2)
    assert graph.prepared == 2


async def test_run_survives_any_failure() -> None:
    outbox = HeldOutbox(free=[dirty(1)], failures=[RuntimeError("a bug"), StoreUnavailable()])
    with capture_logs() as logs:
        async with running(projector(outbox, BatchedGraph(), QUICK)):
            await outbox.empty.wait()
    assert outbox.settled == ids(1)
    events = [entry["event"] for entry in logs]
    assert events.count("projector.failed") == 1
    assert events.count("projector.waiting") == 1


class Pauses:
    """A clock that advances with each sleep, and runs a step of the test in each pause."""

    def __init__(self, during: Callable[[float], None] = lambda _: None) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.during = during

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        self.now += seconds
        self.during(seconds)


def lingering(outbox: HeldOutbox, graph: BatchedGraph, pauses: Pauses) -> GraphProjector:
    return GraphProjector(
        outbox, graph, jitter=lambda: 1.0, monotonic=pauses.monotonic, sleep=pauses.sleep
    )


async def test_a_change_after_a_pause_is_projected_at_once() -> None:
    outbox, graph, pauses = HeldOutbox(free=[dirty(1)]), BatchedGraph(), Pauses()

    def on_sleep(_: float) -> None:
        assert graph.batches == [ids(1)]

    pauses.during = on_sleep
    async with running(lingering(outbox, graph, pauses)):
        await asyncio.wait_for(outbox.empty.wait(), PATIENCE_SECONDS)
    assert graph.batches == [ids(1)]
    assert pauses.slept == [0.05]


async def test_frequent_changes_are_gathered_for_growing_times() -> None:
    outbox, graph, pauses = HeldOutbox(free=[dirty(1)]), BatchedGraph(), Pauses()
    coming = iter(range(2, 14))

    def two_more_come(_: float) -> None:
        outbox.free += [dirty(number) for number in islice(coming, 2)]

    pauses.during = two_more_come
    async with running(lingering(outbox, graph, pauses)):
        await asyncio.wait_for(outbox.empty.wait(), PATIENCE_SECONDS)
    assert graph.batches[0] == ids(1)
    assert [len(batch) for batch in graph.batches[1:]] == [2] * 6
    assert pauses.slept == [0.05, 0.1, 0.2, 0.4, 0.5, 0.5, 0.5]


async def test_the_time_that_a_batch_takes_counts_as_lingering() -> None:
    outbox, graph, pauses = HeldOutbox(free=[dirty(1)]), BatchedGraph(), Pauses()
    coming = iter(range(2, 6))

    async def take_long(batch: Sequence[UUID]) -> None:
        pauses.now += 0.04 if batch == ids(1) else 0.6
        outbox.free += [dirty(number) for number in islice(coming, 1)]

    graph.on_project = take_long
    async with running(lingering(outbox, graph, pauses)):
        await asyncio.wait_for(outbox.empty.wait(), PATIENCE_SECONDS)
    assert graph.batches == [ids(number) for number in range(1, 6)]
    assert pauses.slept == [0.01]


async def test_commits_without_changes_of_the_graph_share_a_claim() -> None:
    outbox, graph, pauses = HeldOutbox(), BatchedGraph(), Pauses()
    subject = lingering(outbox, graph, pauses)
    async with running(subject):
        await outbox.empty.wait()
        assert pauses.slept == []
        outbox.empty.clear()
        subject.wake()
        await outbox.empty.wait()
    assert pauses.slept == [0.05]
    assert outbox.claims == 2


async def test_full_batches_follow_at_once_and_grow() -> None:
    outbox = HeldOutbox(free=[dirty(number) for number in range(801)])
    graph, pauses = BatchedGraph(), Pauses()
    async with running(lingering(outbox, graph, pauses)):
        await asyncio.wait_for(outbox.empty.wait(), PATIENCE_SECONDS)
    assert [len(batch) for batch in graph.batches] == [50, 100, 200, 400, 51]
    assert pauses.slept == [0.05]


async def test_a_failing_graph_gets_smaller_batches() -> None:
    async def overwhelmed(batch: Sequence[UUID]) -> None:
        if len(batch) > 20:
            raise GraphUnavailable

    outbox = HeldOutbox(free=[dirty(number) for number in range(100)])
    graph = BatchedGraph(on_project=overwhelmed)
    subject = projector(outbox, graph)
    assert await subject.project_once() == 0
    assert await subject.project_once() == 12
    assert len(outbox.released) == 50


def rehearsing(outbox: HeldOutbox, graph: BatchedGraph, preparation: float) -> GraphProjector:
    """Returns a projector that rehearses three times if preparing the graph took long."""
    clock, options = Pauses(), replace(QUICK, poll_interval=3600 * SECOND, rehearsals=3)

    def pass_time() -> None:
        clock.now += preparation

    graph.on_prepare = pass_time
    return GraphProjector(outbox, graph, options, monotonic=clock.monotonic, sleep=clock.sleep)


@pytest.mark.parametrize(("preparation", "rehearsals"), [(0.5, 0), (2.0, 3)])
async def test_a_graph_that_has_just_started_rehearses_after_the_work(
    preparation: float, rehearsals: int
) -> None:
    outbox, graph = HeldOutbox(free=[dirty(1)]), BatchedGraph()
    subject = rehearsing(outbox, graph, preparation)
    graph.on_rehearse = lambda: outbox.settled.append(UUID(int=0))
    async with running(subject):
        await outbox.empty.wait()
        outbox.empty.clear()
        subject.wake()
        await outbox.empty.wait()
    assert outbox.settled == [*ids(1), *ids(0) * rehearsals]


async def test_work_comes_before_the_next_rehearsal() -> None:
    outbox, graph = HeldOutbox(), BatchedGraph()
    subject, rehearsed = rehearsing(outbox, graph, 2), asyncio.Event()
    settled: list[int] = []

    def rehearse() -> None:
        settled.append(len(outbox.settled))
        if len(settled) == 1:
            outbox.free.append(dirty(1))
            subject.wake()
        elif len(settled) == 3:
            rehearsed.set()

    graph.on_rehearse = rehearse
    async with running(subject):
        await rehearsed.wait()
    assert settled == [0, 1, 1]
