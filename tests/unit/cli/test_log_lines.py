"""Finding a request in a log."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from server.cli.trace import lines_of, time_of

TIME = "2026-11-26T10:00:00Z"


def line(**fields: object) -> str:
    return json.dumps({"timestamp": TIME, "event": "rpc.ended", **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {"correlation_id": "one"},
        {"correlation_ids": "zero,one"},
        {"correlation_ids": ["zero", "one"]},
    ],
)
def test_lines_with_the_id_are_found(fields: dict[str, object]) -> None:
    found = list(lines_of("one", [line(**fields)]))
    assert [event["event"] for event in found] == ["rpc.ended"]
    assert time_of(found[0]) == datetime(2026, 11, 26, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        line(correlation_id="one-more"),
        line(correlation_ids="once,one-more"),
        line(correlation_id="two", method="one"),
        "one, but not JSON",
        '["one"]',
        json.dumps({"event": "rpc.ended", "correlation_id": "one"}),
    ],
)
def test_other_lines_are_left_out(text: str) -> None:
    assert list(lines_of("one", [text])) == []
