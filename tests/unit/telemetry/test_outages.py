"""An outage is logged when it begins, at times while it lasts, and when it ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import capture_logs
from structlog.typing import EventDict

from server.telemetry.outages import OutageLog


class Outage:
    """The log of one dependency, at a time that the test sets."""

    def __init__(self, lines: list[EventDict]) -> None:
        self.now = 1000.0
        self.lines = lines
        self.log = OutageLog(
            structlog.get_logger(), began="x.away", ended="x.back", monotonic=lambda: self.now
        )

    def fails_each_second(self, seconds: int) -> None:
        for _ in range(seconds):
            self.log.failed(error="E")
            self.now += 1


@pytest.fixture
def outage() -> Iterator[Outage]:
    with capture_logs() as lines:
        yield Outage(lines)


def test_the_first_failure_is_logged_at_once(outage: Outage) -> None:
    outage.log.failed(error="E")
    assert outage.lines == [
        {"event": "x.away", "log_level": "warning", "seconds": 0.0, "failures": 1, "error": "E"}
    ]


def test_later_failures_are_counted_and_logged_after_growing_pauses(outage: Outage) -> None:
    outage.fails_each_second(200)
    assert [line["seconds"] for line in outage.lines] == [0, 5, 15, 35, 75, 135, 195]
    assert [line["failures"] for line in outage.lines] == [1, 5, 10, 20, 40, 60, 60]


def test_the_end_is_logged_once_with_the_duration(outage: Outage) -> None:
    outage.fails_each_second(8)
    outage.log.succeeded()
    outage.log.succeeded()
    assert outage.lines[-1] == {"event": "x.back", "log_level": "info", "seconds": 8.0}
    assert [line["event"] for line in outage.lines] == ["x.away", "x.away", "x.back"]


def test_nothing_is_logged_without_a_failure(outage: Outage) -> None:
    outage.log.succeeded()
    assert outage.lines == []


def test_short_repeated_outages_do_not_fill_the_log(outage: Outage) -> None:
    for _ in range(60):
        outage.fails_each_second(1)
        outage.log.succeeded()
    assert [line["event"] for line in outage.lines] == ["x.away", "x.back"] * 4


def test_a_new_outage_after_a_quiet_time_is_logged_at_once(outage: Outage) -> None:
    outage.fails_each_second(100)
    outage.log.succeeded()
    outage.lines.clear()
    outage.now += 60
    outage.fails_each_second(6)
    assert [line["seconds"] for line in outage.lines] == [0, 5]
