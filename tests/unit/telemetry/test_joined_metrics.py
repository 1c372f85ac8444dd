"""Joining the metrics and figures of several workers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from server.telemetry.exposition import Family, JoinedMetrics, Snapshot, families_of
from server.telemetry.figures import EndedCall
from server.telemetry.metrics import JOINED_BY, REGISTRY
from server.telemetry.statistics import Statistics, joined_windows, windows_from, windows_json
from server.telemetry.tally import ModelCall, Tally, TokenUse

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


class Process:
    """A worker with its own metrics."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.registry = CollectorRegistry()
        self.calls = Counter("calls", "Calls.", ("code",), registry=self.registry)
        self.seconds = Histogram("seconds", "Durations.", buckets=(1, 2), registry=self.registry)
        self.running = Gauge("running", "Calls at work.", registry=self.registry)
        self.up = Gauge("memoir_dependency_up", "Up.", registry=self.registry)

    def snapshot(self) -> Snapshot:
        # As transferred over the socket.
        families: list[Family] = json.loads(json.dumps(families_of(self.registry)))
        return self.pid, families


class Workers:
    """The workers to read; None stands for one that does not respond."""

    def __init__(self, *processes: Process | None) -> None:
        self.processes = list(processes)
        self.registry = CollectorRegistry()
        self.registry.register(JoinedMetrics(self._ask))

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def _ask(self) -> Iterator[Snapshot | None]:
        return (process.snapshot() if process else None for process in self.processes)


def test_counts_are_summed_and_gauges_joined_by_their_mode() -> None:
    one, two = Process(1), Process(2)
    one.calls.labels("OK").inc(2)
    two.calls.labels("OK").inc(3)
    two.calls.labels("ABORTED").inc()
    one.seconds.observe(0.5)
    two.seconds.observe(1.5)
    one.running.set(4)
    two.running.set(5)
    one.up.set(1)
    workers = Workers(one, two)
    assert workers.value("calls_total", code="OK") == 5
    assert workers.value("calls_total", code="ABORTED") == 1
    assert workers.value("seconds_bucket", le="1.0") == 1
    assert workers.value("seconds_count") == 2
    assert workers.value("seconds_sum") == 2.0
    assert workers.value("running") == 9
    assert workers.value("memoir_dependency_up") == 0


def test_counts_of_dead_workers_are_kept_and_their_gauges_are_not() -> None:
    workers = Workers(Process(1), Process(2))
    for process in workers.processes:
        assert process is not None
        process.calls.labels("OK").inc()
        process.running.set(1)
    assert workers.value("calls_total", code="OK") == 2
    for pid in (3, 4):
        workers.processes[0] = process = Process(pid)
        process.calls.labels("OK").inc(10)
        assert workers.value("calls_total", code="OK") == 10 * (pid - 2) + 2
        assert workers.value("running") == 1


def test_a_worker_that_does_not_respond_counts_with_its_last_values() -> None:
    one = Process(1)
    one.calls.labels("OK").inc()
    workers = Workers(one, Process(2))
    assert workers.value("calls_total", code="OK") == 1
    workers.processes[0] = None
    assert workers.value("calls_total", code="OK") == 1
    one.calls.labels("OK").inc()
    workers.processes[0] = one
    assert workers.value("calls_total", code="OK") == 2


def test_exemplars_are_kept() -> None:
    one = Process(1)
    one.seconds.observe(0.5, {"trace_id": "abc"})
    (family,) = [f for f in Workers(one).registry.collect() if f.name == "seconds"]
    exemplars = [sample.exemplar for sample in family.samples if sample.exemplar]
    assert [exemplar.labels for exemplar in exemplars] == [{"trace_id": "abc"}]


def test_the_modes_name_existing_gauges() -> None:
    gauges = {family.name for family in REGISTRY.collect() if family.type == "gauge"}
    of_the_platform = {"process_max_fds", "process_start_time_seconds", "python_info"}
    assert set(JOINED_BY) <= gauges | of_the_platform


def counted(seconds: float) -> Statistics:
    statistics = Statistics()
    tally = Tally(
        stages=[("embed", seconds)],
        model_calls=[ModelCall("m", seconds, failed=True)],
        tokens=[TokenUse("m", 7, 3)],
        arms=[("graph", True), ("dense", False)],
        added=2,
        updated=3,
        deleted=4,
        restored=5,
        cache_hits=1,
        cache_misses=6,
    )
    statistics.record("p", tally, EndedCall(seconds, NOW, "s/M", "OK", f"c{seconds}"))
    return statistics


def test_figures_survive_the_transfer_to_another_process() -> None:
    windows = counted(0.25).figures("p")
    sent: dict[str, Any] = json.loads(json.dumps(windows_json(windows)))
    again = windows_json(windows_from(sent))
    assert json.loads(json.dumps(again)) == sent
    received = windows_from(sent).since_start
    assert received.methods["s/M"].codes == {"OK": 1}
    assert received.methods["s/M"].durations.quantile(0.5) == pytest.approx(0.25, rel=0.02)
    assert [call.correlation_id for call in received.slowest] == ["c0.25"]
    model = received.models["m"]
    assert (model.calls, model.failures, model.read, model.written) == (1, 1, 7, 3)
    changes = received.added, received.updated, received.deleted, received.restored
    assert (*changes, received.cache_hits, received.cache_misses) == (2, 3, 4, 5, 1, 6)


def test_figures_of_several_processes_are_added_up() -> None:
    windows = [
        windows_from(windows_json(counted(seconds).figures("p"))) for seconds in (0.1, 0.2, 0.0)
    ]
    total = joined_windows(windows).last_minute
    assert total.added == 6
    assert total.methods["s/M"].codes == {"OK": 3}
    assert total.methods["s/M"].durations.count == 3
    assert total.methods["s/M"].durations.quantile(0.0) == 0.0
    assert total.methods["s/M"].durations.quantile(1.0) == pytest.approx(0.2, rel=0.02)
    assert total.arms["graph"].runs == 3
