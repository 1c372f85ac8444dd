"""Matching memories by filters."""

from __future__ import annotations

import pytest

from server.core.values import JsonObject
from server.memories.filters.parser import parse_filter
from tests.support.filter_cases import BARE, CASES, FULL, named
from tests.support.filter_matching import matches


@pytest.mark.parametrize(("value", "expected"), CASES, ids=str)
def test_filters_match_memories(value: JsonObject, expected: str) -> None:
    condition = parse_filter(value)
    assert named([memory for memory in (FULL, BARE) if matches(condition, memory)]) == expected
