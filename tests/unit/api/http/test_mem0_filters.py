"""Translating Mem0's filters to those of the contract."""

from __future__ import annotations

import pytest

from server.api.http.mem0.fields import conjunction, from_query, plain_ids, translated_filter
from server.core.errors import InvalidRequest


def test_names_are_translated_at_every_level() -> None:
    assert translated_filter(
        {"AND": [{"created_at": {"gte": "2026-01-01"}}, {"NOT": [{"memory": {"contains": "x"}}]}]}
    ) == {"AND": [{"create_time": {"gte": "2026-01-01"}}, {"NOT": [{"text": {"contains": "x"}}]}]}


def test_metadata_becomes_paths_beside_other_fields() -> None:
    assert translated_filter({"user_id": "a", "metadata": {"topic": "x", "rank": {"gt": 2}}}) == {
        "AND": [{"user_id": "a"}, {"metadata.topic": "x"}, {"metadata.rank": {"gt": 2}}]
    }


def test_two_names_of_one_field_become_two_conditions() -> None:
    assert translated_filter({"memory": {"contains": "x"}, "keywords": {"contains": "y"}}) == {
        "AND": [{"text": {"contains": "x"}}, {"text": {"contains": "y"}}]
    }


@pytest.mark.parametrize(
    "value",
    [None, 3, "x", {"OR": "x"}, {"AND": {"user_id": "a"}}, {"user_id": "a", "metadata": {}}],
)
def test_invalid_filters_are_left_to_the_contract(value: object) -> None:
    assert translated_filter(value) == value


def test_ids_are_found_at_the_top_level_and_under_and() -> None:
    assert plain_ids({"AND": [{"user_id": "a"}, {"session_id": "r"}]}, {"user_id": "a"}) == {
        "user_id": "a",
        "run_id": "r",
    }


@pytest.mark.parametrize(
    ("filters", "named"),
    [
        ({"AND": [{"user_id": "a"}, {"user_id": "b"}]}, {}),
        ({"user_id": "a"}, {"user_id": "b"}),
        ({"user_id": {"in": ["a", "b"]}}, {}),
    ],
)
def test_ids_that_contradict_each_other_are_refused(filters: object, named: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest):
        plain_ids(filters, named)


@pytest.mark.parametrize("items", [[], [{}], [{"user_id": "a"}, {}]])
def test_an_empty_condition_is_no_filter_of_ids(items: list[dict[str, str]]) -> None:
    with pytest.raises(InvalidRequest):
        plain_ids({"AND": items}, {"user_id": "a"})


def test_an_add_uses_only_ids_from_filters() -> None:
    with pytest.raises(InvalidRequest) as caught:
        plain_ids({"user_id": "a", "OR": [], "categories": "x"}, {})
    assert [each.field for each in caught.value.violations] == ["filters.OR", "filters.categories"]


@pytest.mark.parametrize("text", ['{"user_id": "it\'s"}', "{'user_id': \"it's\"}"])
def test_a_filter_in_a_query_is_json_or_python(text: str) -> None:
    assert from_query("filters", text) == {"user_id": "it's"}


@pytest.mark.parametrize("text", ["", "{", "__import__('os')", "(" * 10_000])
def test_other_text_in_a_query_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        from_query("filters", text)


def test_an_empty_conjunction_is_not_a_filter() -> None:
    assert conjunction([None, {}]) is None
    assert conjunction([None, {"a": 1}]) == {"a": 1}
