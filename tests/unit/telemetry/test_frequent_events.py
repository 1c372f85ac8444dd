"""Events that are logged without structlog look as if structlog had logged them."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from server.telemetry.logging import FrequentEvent, configure_logging

FACTS: dict[str, object] = {"method": "S/M", "code": "OK", "duration_ms": 1.5}


def written(level: str, stream: io.StringIO) -> list[dict[str, Any]]:
    with structlog.contextvars.bound_contextvars(correlation_id="c1", worker=2):
        FrequentEvent("a.b", "call.ended").log(level, dict(FACTS))
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.usefixtures("logging_restored")
def test_events_are_written_as_by_structlog() -> None:
    stream = io.StringIO()
    configure_logging("json", "INFO", stream)
    with structlog.contextvars.bound_contextvars(correlation_id="c1", worker=2):
        structlog.get_logger("a.b").info("call.ended", **FACTS)
    expected, line = written("info", stream)
    assert line.pop("timestamp") >= expected.pop("timestamp")
    assert line == expected


@pytest.mark.usefixtures("logging_restored")
def test_the_level_is_respected() -> None:
    stream = io.StringIO()
    configure_logging("json", "INFO", stream)
    assert written("debug", stream) == []
    configure_logging("json", "DEBUG", stream)
    assert [line["level"] for line in written("debug", stream)] == ["debug"]


@pytest.mark.usefixtures("logging_restored")
def test_structlog_writes_to_the_console() -> None:
    stream = io.StringIO()
    configure_logging("console", "INFO", stream)
    FrequentEvent("a.b", "call.ended").log("info", dict(FACTS))
    assert "call.ended" in stream.getvalue()
    assert "code=OK" in stream.getvalue()


def test_captured_logs_contain_the_event() -> None:
    with capture_logs() as captured:
        FrequentEvent("a.b", "call.ended").log("info", dict(FACTS))
    assert captured == [{"event": "call.ended", "log_level": "info", **FACTS}]
