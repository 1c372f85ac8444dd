"""The statistics of a project, over windows of time and with limited memory."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from server.telemetry.figures import RELATIVE_ACCURACY, SLOWEST, Durations, EndedCall, Figures
from server.telemetry.statistics import Statistics
from server.telemetry.tally import ModelCall, Tally, TokenUse
from tests.support.clocks import HandClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def ended(seconds: float = 0.01, code: str = "OK", *, waits: bool = False) -> EndedCall:
    return EndedCall(seconds, NOW, "s.S/M", code, f"c-{seconds}", waits)


@pytest.fixture
def clock() -> HandClock:
    return HandClock(1000.0)


@pytest.fixture
def statistics(clock: HandClock) -> Statistics:
    return Statistics(most_projects=2, monotonic=clock)


def counts(statistics: Statistics, project: str = "p") -> tuple[int, int, int]:
    """Returns the calls of the last minute, of the last hour and since the start."""
    windows = statistics.figures(project)
    return (
        windows.last_minute.methods["s.S/M"].durations.count,
        windows.last_hour.methods["s.S/M"].durations.count,
        windows.since_start.methods["s.S/M"].durations.count,
    )


def test_calls_leave_the_windows_over_time(statistics: Statistics, clock: HandClock) -> None:
    for _ in range(3):
        statistics.record("p", Tally(), ended())
    assert counts(statistics) == (3, 3, 3)
    clock.now += 61
    assert counts(statistics) == (0, 3, 3)
    statistics.record("p", Tally(), ended())
    assert counts(statistics) == (1, 4, 4)
    clock.now += 3700
    statistics.record("p", Tally(), ended())
    assert counts(statistics) == (1, 1, 5)


def test_all_calls_of_a_busy_hour_are_counted(statistics: Statistics, clock: HandClock) -> None:
    for _ in range(3500):
        statistics.record("p", Tally(), ended())
        clock.now += 1
    minute, hour, total = counts(statistics)
    assert 55 <= minute <= 61
    assert (hour, total) == (3500, 3500)


def test_merged_quantiles_equal_those_of_all_values() -> None:
    chance = random.Random(7)
    values = [chance.lognormvariate(-4, 1.5) for _ in range(5000)]
    parts = [Durations() for _ in range(10)]
    for index, value in enumerate(values):
        parts[index % 10].add(value)
    whole = Durations()
    for part in parts:
        whole.merge(part)
    assert whole.count == 5000
    ordered = sorted(values)
    for fraction in (0.5, 0.95, 0.99):
        exact = ordered[int(fraction * (len(ordered) - 1))]
        assert whole.quantile(fraction) == pytest.approx(exact, rel=2 * RELATIVE_ACCURACY)


def test_there_are_no_quantiles_without_values() -> None:
    assert Durations().quantile(0.5) == 0


def test_the_work_of_a_call_is_counted(statistics: Statistics) -> None:
    tally = Tally(
        stages=[("embed", 0.1), ("embed", 0.2)],
        model_calls=[ModelCall("m", 1.0, failed=True), ModelCall("m", 2.0, failed=False)],
        tokens=[TokenUse("m", 10, 5)],
        arms=[("graph", False), ("dense", True)],
        added=2,
        deleted=1,
        cache_hits=4,
    )
    statistics.record("p", tally)
    figures = statistics.figures("p").last_minute
    assert figures.stages["embed"].count == 2
    model = figures.models["m"]
    assert (model.calls, model.failures, model.read, model.written) == (2, 1, 10, 5)
    assert (figures.arms["graph"].skips, figures.arms["dense"].runs) == (1, 1)
    assert (figures.added, figures.deleted, figures.cache_hits) == (2, 1, 4)


def test_the_slowest_calls_are_kept_and_waiting_calls_are_not(
    statistics: Statistics, clock: HandClock
) -> None:
    statistics.record("p", Tally(), ended(99.0, waits=True))
    assert statistics.figures("p").last_hour.methods["s.S/M"].codes == {"OK": 1}
    assert counts(statistics) == (0, 0, 0)
    for number in range(30):
        statistics.record("p", Tally(), ended(number / 10))
        clock.now += 1
    slowest = sorted((c.seconds for c in statistics.figures("p").last_hour.slowest), reverse=True)
    assert slowest == [number / 10 for number in range(29, 29 - SLOWEST, -1)]


def test_statistics_of_projects_are_separate(statistics: Statistics) -> None:
    statistics.record("p", Tally(), ended())
    assert counts(statistics, "q") == (0, 0, 0)


def test_the_least_recently_active_project_is_evicted(statistics: Statistics) -> None:
    for project in ("p", "q", "p", "r"):
        statistics.record(project, Tally(), ended())
    assert counts(statistics, "p")[2] == 2
    assert counts(statistics, "q")[2] == 0
    assert counts(statistics, "r")[2] == 1


def test_reading_the_statistics_of_a_project_does_not_create_them(statistics: Statistics) -> None:
    statistics.record("p", Tally(), ended())
    for number in range(10):
        statistics.figures(f"unknown-{number}")
    assert counts(statistics, "p")[2] == 1


def test_finished_intervals_are_added_up_only_once(
    statistics: Statistics, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This holds however busy the hour was, and for any number of readers."""
    for _ in range(1000):
        statistics.record("p", Tally(), ended())
        clock.now += 1
    before = counts(statistics)
    merged: list[Figures] = []
    merge = Figures.merge

    def counted(total: Figures, part: Figures) -> None:
        merged.append(part)
        merge(total, part)

    monkeypatch.setattr(Figures, "merge", counted)
    assert counts(statistics) == before
    # For each window: the intervals that have ended, and the current one.
    assert len(merged) == 6
    statistics.record("p", Tally(), ended())
    assert counts(statistics) == tuple(count + 1 for count in before)
