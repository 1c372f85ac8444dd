"""A filter with a value of another type never matches more than before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from server.core.errors import InvalidRequest
from server.core.values import JsonObject, JsonValue
from server.memories.filters.parser import parse_filter
from server.memories.memory import Memory
from tests.support.filter_matching import matches
from tests.support.filter_strategies import filters, known_conditions, memories, metadata_conditions

_OTHERS: list[JsonValue] = ["", "\0", "a", 0, 1, 1767225600, 0.5, True, False, None, [], ["a"]]


def _mutations(value: JsonValue, others: list[JsonValue]) -> Iterator[JsonValue]:
    """Yields the filter with each of its values in turn replaced by one of another JSON type."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from ({**value, key: mutated} for mutated in _mutations(item, others))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            for mutated in _mutations(item, others):
                yield [*value[:place], mutated, *value[place + 1 :]]
    else:
        yield from (other for other in others if _json_type(other) != _json_type(value))


def _json_type(value: JsonValue) -> type:
    return float if isinstance(value, int) and not isinstance(value, bool) else type(value)


@given(known_conditions, st.sampled_from(["plain", "NOT"]))
def test_mutations_of_fields_with_a_known_type_are_refused(
    condition: JsonObject, form: str
) -> None:
    # A bare "*" is an operator, not a value.
    assume("*" not in condition.values())
    whole: JsonObject = {"NOT": [condition]} if form == "NOT" else condition
    parse_filter(whole)
    for mutated in _mutations(condition, _OTHERS):
        assert isinstance(mutated, Mapping)
        with pytest.raises(InvalidRequest):
            parse_filter({"NOT": [mutated]} if form == "NOT" else mutated)


@given(metadata_conditions, memories())
def test_mutations_of_metadata_match_no_memory_that_was_matched(
    condition: JsonObject, memory: Memory
) -> None:
    """Negations are an exception: a value of another type does not match, so its negation does."""
    if _is_negation_or_list(condition) or not matches(parse_filter(condition), memory):
        return
    for mutated in _mutations(condition, _OTHERS):
        assert isinstance(mutated, Mapping)
        try:
            narrowed = parse_filter(mutated)
        except InvalidRequest:
            continue
        assert not matches(narrowed, memory), mutated


def _is_negation_or_list(condition: JsonObject) -> bool:
    """Whether a memory can match by several values, or by a mismatch."""
    [whole] = condition.values()
    return whole == "*" or (
        isinstance(whole, Mapping)
        and (len(whole) > 1 or not whole.keys().isdisjoint({"ne", "exists", "in", "contains"}))
    )


@given(filters)
def test_the_original_filters_are_accepted(value: JsonObject) -> None:
    parse_filter(value)
