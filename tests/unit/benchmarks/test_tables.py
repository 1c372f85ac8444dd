"""The tables of benchmarks."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks import models, peer
from benchmarks.load import Figures
from benchmarks.processor_time import LOAD, NEO4J, POSTGRES, SERVER
from benchmarks.tables import WIDTH, grouped_table

BUSY = Figures(calls=123_456, seconds=10.0, p50_ms=12_345.6, p95_ms=23_456.7, p99_ms=34_567.8)
COSTS = {SERVER: 123.45, NEO4J: 123.45, POSTGRES: 123.45, LOAD: 123.45}


def test_rows_follow_the_name_of_their_group() -> None:
    text = grouped_table(("", "a", "b"), {"first": [["x", "1", "22"]], "second": [["y", "3", ""]]})
    assert text.splitlines() == [
        "    a  b",
        "first",
        "  x 1 22",
        "second",
        "  y 3",
    ]


def test_a_table_that_would_be_wrapped_is_refused() -> None:
    with pytest.raises(ValueError, match="would take"):
        grouped_table(("", *("a figure",) * 9), {})


def test_both_sides_of_each_case_fit_into_a_terminal() -> None:
    results = [
        peer.Result(case, side, BUSY, COSTS)
        for side in (peer.MEMOIR, peer.PEER)
        for case in peer.CASES
    ]
    lines = peer.table(results).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert [line.split()[:3] for line in lines[1:4]] == [
        ["verbatim", "add,", "16"],
        ["Memoir", "12,346", "1.0x"],
        ["mem0", "12,346", "12345.6"],
    ]


def test_the_cases_with_a_model_fit_into_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    run = models.Measured(models.CASES[0], BUSY, Counter(OK=1, UNKNOWN=2), COSTS, 1.5)
    models.print_table([run])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert lines[1] == models.CASES[0].name
    assert lines[-1].endswith("2 times UNKNOWN")
