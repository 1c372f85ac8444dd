"""Finding invalid UTF-8 in encoded messages."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from memoir.v1 import memory_service_pb2, statistics_service_pb2

from server.api.grpc.wire_format import first_invalid_string

Request = memory_service_pb2.AddMemoriesRequest
DESCRIPTOR = Request.DESCRIPTOR
MARK = b"@@@@"
BROKEN = b"\xff\xfe\xfd\xfc"

texts = st.text(max_size=8)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
requests = st.builds(
    Request,
    messages=st.lists(
        st.fixed_dictionaries({"role": texts}, optional={"content": texts, "name": texts}),
        max_size=4,
    ),
    user_id=st.none() | texts,
    metadata=st.dictionaries(texts, json_values, max_size=3),
    timestamp=st.none() | st.integers(0, 2**62),
    custom_categories=st.lists(st.fixed_dictionaries({"name": texts}), max_size=2),
)
unknown_fields = st.sampled_from(
    [
        b"\xa0\x1f\x01",  # field 500, varint
        b"\xa1\x1f\xff\xff\xff\xff\xff\xff\xff\xff",  # field 500, fixed64
        b"\xa5\x1f\xff\xff\xff\xff",  # field 500, fixed32
        b"\xa2\x1f\x02\xff\xff",  # field 500, bytes
        b"\xa3\x1f\x12\x02\xff\xff\xa4\x1f",  # field 500, a group around field 2, bytes
    ]
)


def encoded(**fields: Any) -> bytes:
    return Request(**fields).SerializeToString().replace(MARK, BROKEN)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"user_id": "@@@@"}, "user_id"),
        ({"user_id": "é", "agent_id": "a@@@@"}, "agent_id"),
        ({"messages": [{"role": "user"}, {"role": "user", "name": "@@@@"}]}, "messages[1].name"),
        ({"metadata": {"a": {"b": "@@@@"}}}, 'metadata.fields["a"].struct_value.fields["b"].s'),
        ({"metadata": {"l": ["x", "@@@@"]}}, 'metadata.fields["l"].list_value.values[1].string'),
        ({"metadata": {"@@@@": 1}}, "metadata.fields"),
    ],
)
def test_the_invalid_string_is_named(fields: dict[str, Any], path: str) -> None:
    found = first_invalid_string(encoded(**fields), DESCRIPTOR)
    assert found is not None
    assert found.startswith(path)
    assert (found == path) == ("metadata.fields[" not in path)


def test_elements_of_repeated_strings_are_numbered() -> None:
    search = memory_service_pb2.SearchMemoriesRequest(categories=["a", "b", "@@@@"])
    raw = search.SerializeToString().replace(MARK, BROKEN)
    assert first_invalid_string(raw, search.DESCRIPTOR) == "categories[2]"


def test_maps_of_plain_values_are_read() -> None:
    statistics = statistics_service_pb2.MethodStatistics(requests_by_status={"@@@@": 1})
    raw = statistics.SerializeToString().replace(MARK, BROKEN)
    assert first_invalid_string(raw, statistics.DESCRIPTOR) == "requests_by_status"


@given(requests, st.lists(unknown_fields, max_size=3))
def test_a_valid_message_is_never_reported(request_: Any, extra: list[bytes]) -> None:
    raw = request_.SerializeToString() + b"".join(extra)
    Request.FromString(raw)
    assert first_invalid_string(raw, DESCRIPTOR) is None


@given(requests, st.integers(0, 3), st.lists(unknown_fields, max_size=3))
def test_an_invalid_string_is_found_in_any_field(
    request_: Any, index: int, extra: list[bytes]
) -> None:
    del request_.messages[index:]
    request_.messages.add(role="user", content="@@@@ at the end")
    raw = b"".join(extra) + request_.SerializeToString().replace(MARK, BROKEN)
    with pytest.raises(DecodeError):
        Request.FromString(raw)
    expected = f"messages[{len(request_.messages) - 1}].content"
    assert first_invalid_string(raw, DESCRIPTOR) == expected


@given(st.binary(max_size=200))
def test_random_bytes_raise_no_other_error(raw: bytes) -> None:
    if first_invalid_string(raw, DESCRIPTOR) is not None:
        with pytest.raises(DecodeError):
            Request.FromString(raw)


@given(requests, st.binary(min_size=1, max_size=4), st.integers(0, 400))
def test_damaged_messages_raise_no_other_error(request_: Any, damage: bytes, at: int) -> None:
    raw = request_.SerializeToString()
    damaged = raw[:at] + damage + raw[at + len(damage) :]
    if first_invalid_string(damaged, DESCRIPTOR) is not None:
        with pytest.raises(DecodeError):
            Request.FromString(damaged)


@pytest.mark.parametrize(
    "raw",
    [
        b"\x0a\x7f",  # longer than the rest
        b"\xff" * 11,  # a number without an end
        b"\x0b" * 1000,  # groups without an end
        b"\x0c",  # the end of no group
        b"\x0f",  # no such wire type
        b"\x09\x00",  # a short fixed64
    ],
)
def test_an_invalid_wire_format_names_no_field(raw: bytes) -> None:
    assert first_invalid_string(raw, DESCRIPTOR) is None


def test_nesting_is_limited() -> None:
    raw = b""
    for _ in range(400):  # Value.list_value.values
        raw = _field(6, _field(1, raw))
    metadata = _field(8, _field(1, _field(1, b"k") + _field(2, raw)))
    assert first_invalid_string(metadata, DESCRIPTOR) is None


def _field(number: int, payload: bytes) -> bytes:
    length, size = b"", len(payload)
    while size > 0x7F:
        length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + payload
