"""What a filter answers about a memory."""

from __future__ import annotations

import pytest

from server.domain.filter_matching import matches
from server.domain.filter_parser import parse_filter
from server.domain.values import JsonObject
from tests.support.filter_cases import BARE, CASES, FULL, named


@pytest.mark.parametrize(("value", "expected"), CASES, ids=str)
def test_a_memory_matches_or_does_not(value: JsonObject, expected: str) -> None:
    condition = parse_filter(value)
    assert named([memory for memory in (FULL, BARE) if matches(condition, memory)]) == expected
