"""When the projector claims: pauses in which changes gather, sizes of batches, rehearsals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from uuid import UUID

import pytest

from server.core.transient_errors import GraphUnavailable
from server.graph.project.projector import GraphProjector
from tests.support.projectors import (
    PATIENCE_SECONDS,
    QUICK,
    SECOND,
    BatchedGraph,
    HeldOutbox,
    dirty,
    ids,
    projector,
    running,
)


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
