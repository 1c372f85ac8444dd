"""The projector processes the outbox and survives failures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, format_trace_id
from structlog.testing import capture_logs

from server.core.transient_errors import GraphUnavailable, StoreUnavailable
from server.graph.project.projector import ProjectorOptions
from tests.support.projectors import (
    QUICK,
    SECOND,
    BatchedGraph,
    HeldOutbox,
    dirty,
    ids,
    projector,
    refusing,
    running,
)


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
