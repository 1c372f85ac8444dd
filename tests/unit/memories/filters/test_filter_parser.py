"""Parsing filters, and naming the place of each error."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.errors import InvalidRequest
from server.core.values import JsonObject, JsonValue
from server.memories.filters.filter import (
    NEVER,
    AllOf,
    AnyOf,
    Column,
    Compared,
    Comparison,
    Contains,
    Filter,
    MetadataPath,
    Not,
    OneOf,
    Present,
)
from server.memories.filters.parser import (
    MAX_CONTAINS,
    MAX_DEPTH,
    MAX_LISTED,
    MAX_NODES,
    parse_filter,
)

ALICE = OneOf(Column.USER_ID, ("alice",))
CREATED = Column.CREATE_TIME
KIND = MetadataPath(("kind",))
BEFORE, AFTER = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)


def violations(value: JsonObject) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        parse_filter(value)
    return {violation.field: violation.description for violation in caught.value.violations}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"user_id": "alice"}, ALICE),
        ({"user_id": {"eq": "alice"}}, ALICE),
        ({"user_id": {"ne": "alice"}}, Not(ALICE)),
        ({"user_id": {"in": ["a", "b"]}}, OneOf(Column.USER_ID, ("a", "b"))),
        ({"user_id": "*"}, Present(Column.USER_ID)),
        ({"user_id": {"eq": "*"}}, OneOf(Column.USER_ID, ("*",))),
        ({"user_id": {"exists": True}}, Present(Column.USER_ID, null_counts=True)),
        ({"user_id": {"exists": False}}, Not(Present(Column.USER_ID, null_counts=True))),
        ({"text": {"contains": "Tea"}}, Contains(Column.TEXT, "Tea")),
        ({"text": {"icontains": "Tea"}}, Contains(Column.TEXT, "Tea", ignore_case=True)),
        ({"text": {"gt": "m"}}, Compared(Column.TEXT, Comparison.GT, "m")),
        ({"immutable": True}, OneOf(Column.IMMUTABLE, (True,))),
        ({"id": "AB"}, OneOf(Column.ID, ("ab",))),
        ({"metadata.kind": 1}, OneOf(KIND, (1,))),
        ({"metadata.kind": {"lte": 1.5}}, Compared(KIND, Comparison.LTE, 1.5)),
        ({"metadata.kind": {"contains": 1}}, Contains(KIND, 1)),
        ({"metadata.a.AND.*": True}, OneOf(MetadataPath(("a", "AND", "*")), (True,))),
        ({"AND": [{"user_id": "alice"}]}, AllOf((ALICE,))),
        ({"OR": [{"user_id": "alice"}]}, AnyOf((ALICE,))),
        ({"NOT": [{"user_id": "alice"}]}, Not(AnyOf((ALICE,)))),
        ({"NOT": {"user_id": "alice"}}, Not(AnyOf((ALICE,)))),
    ],
)
def test_filters_are_parsed(value: JsonObject, expected: Filter) -> None:
    assert parse_filter(value) == expected


def test_siblings_are_joined_by_and_at_every_level() -> None:
    app = OneOf(Column.APP_ID, ("p",))
    kinds = Compared(KIND, Comparison.GT, 1), Compared(KIND, Comparison.LT, 3)
    siblings: JsonObject = {"user_id": "alice", "app_id": "p", "metadata.kind": {"gt": 1, "lt": 3}}
    both = AllOf((ALICE, app, AllOf(kinds)))
    assert parse_filter(siblings) == both
    assert parse_filter({"OR": [siblings, {"app_id": "p"}], "user_id": "alice"}) == AllOf(
        (AnyOf((both, app)), ALICE)
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T00:00:00Z", BEFORE),
        ("2026-01-01t01:00:00.000000000+01:00", BEFORE),
        ("2025-12-31T23:59:59.999999Z", datetime(2025, 12, 31, 23, 59, 59, 999999, UTC)),
    ],
)
def test_a_time_is_an_instant(text: str, expected: datetime) -> None:
    assert parse_filter({"create_time": {"gte": text}}) == Compared(
        CREATED, Comparison.GTE, expected
    )


@pytest.mark.parametrize(
    ("operator", "comparison", "bound"),
    [
        ("gte", Comparison.GTE, BEFORE),
        ("gt", Comparison.GTE, AFTER),
        ("lt", Comparison.LT, BEFORE),
        ("lte", Comparison.LT, AFTER),
    ],
)
def test_a_date_stands_for_the_whole_day(
    operator: str, comparison: Comparison, bound: datetime
) -> None:
    parsed = parse_filter({"create_time": {operator: "2026-01-01"}})
    assert parsed == Compared(CREATED, comparison, bound)


def test_an_expiration_is_compared_by_its_day() -> None:
    late = {"lt": "2026-01-01T23:30:00-01:00"}
    expected = Compared(Column.EXPIRATION_DATE, Comparison.LT, date(2026, 1, 2))
    assert parse_filter({"expiration_date": late}) == expected


def test_a_value_of_another_type_in_metadata_does_not_match_and_is_no_error() -> None:
    assert parse_filter({"metadata.kind": {"lt": False}}) == NEVER
    assert parse_filter({"metadata.kind": {"icontains": 1}}) == NEVER
    assert parse_filter({"metadata.kind": {"in": [1, "a", True]}}) == OneOf(KIND, (1, "a", True))


@pytest.mark.parametrize(
    ("field", "allowed", "others"),
    [
        *((field, "a", [1, 0.5, True]) for field in ["user_id", "agent_id", "app_id", "run_id"]),
        *((field, "a", [1, 0.5, False]) for field in ["id", "text", "categories"]),
        *((field, "2026-01-01", [1767225600, True, ""]) for field in ["create_time", "event_time"]),
        ("update_time", "2026-01-01T00:00:00Z", [1767225600.5, False, "now"]),
        ("expiration_date", "2026-01-01", [20260101, True, "tomorrow"]),
        ("immutable", True, ["true", "", 1, 0]),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(
    field: str, allowed: JsonValue, others: list[JsonValue]
) -> None:
    for other in others:
        assert list(violations({field: other})) == [f"filters.{field}"]
        assert list(violations({"NOT": [{field: {"ne": other}}]})) == [f"filters.NOT[0].{field}.ne"]
        assert list(violations({field: {"in": [allowed, other]}})) == [f"filters.{field}.in[1]"]
        if field not in {"immutable", "categories"}:
            assert list(violations({field: {"lt": other}})) == [f"filters.{field}.lt"]
    parse_filter({field: allowed, "NOT": {field: {"in": [allowed]}}})


@pytest.mark.parametrize(
    ("field", "operator"),
    [
        *(("categories", operator) for operator in Comparison),
        *(("immutable", operator) for operator in [*Comparison, "contains", "icontains"]),
        ("create_time", "contains"),
        ("expiration_date", "icontains"),
    ],
)
@pytest.mark.parametrize("value", ["a", True, 1])
def test_an_operator_that_the_field_lacks_is_refused(
    field: str, operator: str, value: JsonValue
) -> None:
    found = violations({"NOT": {field: {operator: value}}})
    assert list(found) == [f"filters.NOT.{field}.{operator}"]
    assert f"does not apply to {field}" in found[f"filters.NOT.{field}.{operator}"]


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({}, "filters"),
        ({"and": [{"user_id": "a"}]}, "filters.and"),
        ({"project_id": "other"}, "filters.project_id"),
        ({"metadata": {"a": 1}}, "filters.metadata"),
        ({"metadata.": 1}, "filters.metadata."),
        ({"metadata.a..b": 1}, "filters.metadata.a..b"),
        ({"metadata.a.b.c.d.e.f.g.h.i": 1}, "filters.metadata.a.b.c.d.e.f.g.h.i"),
        ({"AND": {"user_id": "a"}}, "filters.AND"),
        ({"OR": []}, "filters.OR"),
        ({"NOT": "x"}, "filters.NOT"),
        ({"NOT": {}}, "filters.NOT"),
        ({"NOT": [{}]}, "filters.NOT[0]"),
        ({"AND": [{"user_id": "a"}, "b"]}, "filters.AND[1]"),
        ({"AND": [{"OR": [{"text": {}}]}]}, "filters.AND[0].OR[0].text"),
        ({"text": None}, "filters.text"),
        ({"text": ["a"]}, "filters.text"),
        ({"text": {"eq": {"a": 1}}}, "filters.text.eq"),
        ({"text": {"like": "a"}}, "filters.text.like"),
        ({"text": {"*": True}}, "filters.text.*"),
        ({"text": {"in": "abc"}}, "filters.text.in"),
        ({"text": {"in": []}}, "filters.text.in"),
        ({"text": {"in": ["a", None]}}, "filters.text.in[1]"),
        ({"text": {"exists": "yes"}}, "filters.text.exists"),
        ({"text": {"contains": ["a"]}}, "filters.text.contains"),
        ({"text": {"contains": 1}}, "filters.text.contains"),
        ({"text": {"contains": ""}}, "filters.text.contains"),
        ({"categories": {"icontains": ""}}, "filters.categories.icontains"),
        ({"metadata.n": {"contains": ""}}, "filters.metadata.n.contains"),
        ({"text": {"contains": "\0"}}, "filters.text.contains"),
        ({"text": "a\0b"}, "filters.text"),
        ({"user_id": {"in": ["a", "b\0"]}}, "filters.user_id.in[1]"),
        ({"metadata.n": {"ne": "\0"}}, "filters.metadata.n.ne"),
        ({"metadata.a\0b": 1}, "filters.metadata.a\0b"),
        ({"user_id\0": "a"}, "filters.user_id\0"),
        ({"metadata.n": {"gt": math.nan}}, "filters.metadata.n.gt"),
        ({"metadata.n": -math.inf}, "filters.metadata.n"),
        ({"create_time": {"gte": "yesterday"}}, "filters.create_time.gte"),
        ({"create_time": {"gte": "2026-01-01T00:00:00"}}, "filters.create_time.gte"),
        ({"create_time": {"gte": "20260101"}}, "filters.create_time.gte"),
        ({"create_time": {"gte": "2026-02-30"}}, "filters.create_time.gte"),
        ({"create_time": {"gte": "0001-01-01T00:00:00+01:00"}}, "filters.create_time.gte"),
        ({"event_time": {"in": ["2026-01-01", "\u0662026-01-01"]}}, "filters.event_time.in[1]"),
        ({"expiration_date": {"ne": ""}}, "filters.expiration_date.ne"),
    ],
)
def test_the_place_of_an_error_is_named(value: JsonObject, path: str) -> None:
    assert list(violations(value)) == [path]


def test_every_violation_is_named() -> None:
    found = violations(
        {
            "AND": [{"nothing": 1}, {"create_time": {"gte": "soon", "lt": "2026-01-01"}}],
            "text": {"in": [None, "a", []], "like": "x"},
        }
    )
    assert list(found) == [
        "filters.AND[0].nothing",
        "filters.AND[1].create_time.gte",
        "filters.text.in[0]",
        "filters.text.in[2]",
        "filters.text.like",
    ]
    assert "metadata.<path>" in found["filters.AND[0].nothing"]
    assert "icontains" in found["filters.text.like"]


def nested(depth: int) -> dict[str, JsonValue]:
    value: dict[str, JsonValue] = {"user_id": "alice"}
    for _ in range(depth - 1):
        value = {"NOT": [value]}
    return value


def test_depth_is_limited() -> None:
    parse_filter(nested(MAX_DEPTH))
    assert list(violations(nested(MAX_DEPTH + 1))) == ["filters" + ".NOT[0]" * MAX_DEPTH]


def test_the_number_of_operators_is_limited() -> None:
    conditions: list[JsonValue] = [{"user_id": "alice"}] * (MAX_NODES - 1)
    parse_filter({"AND": conditions})
    assert violations({"AND": [*conditions, {"user_id": {"gt": "a"}}]}) == {
        "filters": f"must have at most {MAX_NODES} operators"
    }


def test_conditions_that_read_whole_texts_are_limited() -> None:
    conditions: list[JsonValue] = [
        {"text": {"contains": "a"}},
        {"metadata.note": {"icontains": "a"}},
    ] * (MAX_CONTAINS // 2)
    parse_filter({"OR": conditions})
    assert violations({"OR": [*conditions, {"text": {"icontains": "b"}}]}) == {
        f"filters.OR[{MAX_CONTAINS}].text.icontains": (
            f"is too many: a filter has at most {MAX_CONTAINS} contains and icontains"
        )
    }


def test_lists_of_values_are_limited() -> None:
    parse_filter({"text": {"in": ["a"] * MAX_LISTED}})
    assert list(violations({"text": {"in": ["a"] * (MAX_LISTED + 1)}})) == ["filters.text.in"]


keys = st.sampled_from(
    ["AND", "OR", "NOT", "user_id", "create_time", "metadata.a", "gt", "in", "exists", "contains"]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(max_size=5), inner),
    max_leaves=12,
)


@given(st.dictionaries(keys | st.text(), json_values))
def test_any_json_is_parsed_or_refused(value: JsonObject) -> None:
    try:
        parse_filter(value)
    except InvalidRequest as error:
        paths = [violation.field for violation in error.violations]
    else:
        return
    assert paths
    assert all(path.startswith("filters") for path in paths)
