"""Curves in block characters."""

from __future__ import annotations

import pytest

from server.cli.top_view import sparkline


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([], ""),
        ([0, 0], "  "),
        ([1, 2, 4, 8], "▁▂▄█"),
        ([0, 0.001, 100], " ▁█"),
        ([9, 1, 1], "██"),
    ],
)
def test_the_largest_value_has_a_full_block(values: list[float], drawn: str) -> None:
    assert sparkline(values, width=2 if drawn == "██" else 24) == drawn
