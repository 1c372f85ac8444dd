"""An outage is told when it begins, now and then while it lasts, and when it ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import capture_logs
from structlog.typing import EventDict

from server.telemetry.recording import OutageLog


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


def test_the_first_failure_is_told_at_once(outage: Outage) -> None:
    outage.log.failed(error="E")
    assert outage.lines == [
        {"event": "x.away", "log_level": "warning", "seconds": 0.0, "failures": 1, "error": "E"}
    ]


def test_later_ones_are_told_after_ever_longer_pauses_and_counted(outage: Outage) -> None:
    outage.fails_each_second(200)
    assert [line["seconds"] for line in outage.lines] == [0, 5, 15, 35, 75, 135, 195]
    assert [line["failures"] for line in outage.lines] == [1, 5, 10, 20, 40, 60, 60]


def test_its_end_is_told_once_with_how_long_it_lasted(outage: Outage) -> None:
    outage.fails_each_second(8)
    outage.log.succeeded()
    outage.log.succeeded()
    assert outage.lines[-1] == {"event": "x.back", "log_level": "info", "seconds": 8.0}
    assert [line["event"] for line in outage.lines] == ["x.away", "x.away", "x.back"]


def test_where_nothing_failed_nothing_is_told(outage: Outage) -> None:
    outage.log.succeeded()
    assert outage.lines == []


def test_what_comes_and_goes_does_not_fill_the_log(outage: Outage) -> None:
    for _ in range(60):
        outage.fails_each_second(1)
        outage.log.succeeded()
    assert [line["event"] for line in outage.lines] == ["x.away", "x.back"] * 4


def test_a_new_outage_after_calm_is_told_at_once(outage: Outage) -> None:
    outage.fails_each_second(100)
    outage.log.succeeded()
    outage.lines.clear()
    outage.now += 60
    outage.fails_each_second(6)
    assert [line["seconds"] for line in outage.lines] == [0, 5]
