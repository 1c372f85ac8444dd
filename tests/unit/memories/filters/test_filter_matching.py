"""What a filter answers about a memory."""

from __future__ import annotations

import pytest

from server.core.values import JsonObject
from server.memories.filters.parser import parse_filter
from tests.support.filter_cases import BARE, CASES, FULL, named
from tests.support.filter_matching import matches


@pytest.mark.parametrize(("value", "expected"), CASES, ids=str)
def test_a_memory_matches_or_does_not(value: JsonObject, expected: str) -> None:
    condition = parse_filter(value)
    assert named([memory for memory in (FULL, BARE) if matches(condition, memory)]) == expected
