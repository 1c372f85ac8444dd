"""Structs and times survive a round trip."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st

from server.api.grpc.convert.values import MAX_EXACT_INTEGER, from_struct, to_struct, to_timestamp
from server.core.values import JsonValue

exact_integers = st.integers(-MAX_EXACT_INTEGER, MAX_EXACT_INTEGER)
finite = st.floats(allow_nan=False, allow_infinity=False).filter(lambda f: not f.is_integer())
json_values = st.recursive(
    st.none() | st.booleans() | exact_integers | finite | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
json_objects = st.dictionaries(st.text(), json_values, max_size=4)


def canonical(value: JsonValue) -> str:
    """Distinguishes 1, 1.0 and true, unlike Python's equality."""
    return json.dumps(value, sort_keys=True)


@given(json_objects)
def test_a_json_object_survives_a_round_trip(value: dict[str, JsonValue]) -> None:
    assert canonical(from_struct(to_struct(value))) == canonical(value)


@given(json_objects)
def test_structs_equal_those_of_protobuf(value: dict[str, JsonValue]) -> None:
    assert to_struct(value) == json_format.ParseDict(value, Struct())


@given(st.integers(-(10**20), 10**20))
def test_integers_stay_integers_up_to_the_precision_of_doubles(number: int) -> None:
    read = from_struct(json_format.Parse(f'{{"n": {number}}}', Struct()))["n"]
    assert read == float(number)
    assert isinstance(read, int) == (abs(float(number)) <= MAX_EXACT_INTEGER)


@pytest.mark.parametrize("number", [1e300, -1e300, 2.0**53 + 2, 0.5, 5e-324])
def test_other_numbers_stay_floats(number: float) -> None:
    struct = Struct()
    struct.update({"n": number})
    read = from_struct(struct)["n"]
    assert isinstance(read, float)
    assert read == number


def test_a_whole_number_is_an_integer_and_a_boolean_is_not() -> None:
    struct = Struct()
    struct.update({"whole": 3.0, "true": True, "zero": -0.0})
    assert canonical(from_struct(struct)) == '{"true": true, "whole": 3, "zero": 0}'


def test_a_value_without_a_kind_is_null() -> None:
    struct = Struct()
    struct.fields["nothing"].Clear()
    assert from_struct(struct) == {"nothing": None}


times = st.datetimes(
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-9))]),
    min_value=datetime(2, 1, 1),  # noqa: DTZ001 - Hypothesis adds the time zone
    max_value=datetime(9998, 1, 1),  # noqa: DTZ001 - the same
)


@given(times)
def test_a_timestamp_keeps_its_instant(time: datetime) -> None:
    assert to_timestamp(time).ToDatetime(UTC) == time
