"""Validating requests by the rules of the contract."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from memoir.v1 import graph_service_pb2, memory_service_pb2, project_service_pb2

from server.api.grpc.validation import check
from server.core.errors import InvalidRequest

NOW = datetime(2026, 6, 15, 23, 30, tzinfo=UTC)
ID = "00000000-0000-4000-8000-000000000000"
ADD: Any = memory_service_pb2.AddMemoriesRequest
# Loosely typed, so that dictionaries can be given for nested messages.
UPDATE: Any = memory_service_pb2.UpdateMemoryRequest
UPDATE_PROJECT: Any = project_service_pb2.UpdateProjectRequest


def violations(request: Message, now: datetime = NOW) -> dict[str, str]:
    try:
        check(request, now)
    except InvalidRequest as error:
        return {v.field: v.description for v in error.violations}
    return {}


def fields_of(request: Message) -> list[str]:
    with pytest.raises(InvalidRequest) as raised:
        check(request, NOW)
    return [violation.field for violation in raised.value.violations]


def add(**fields: Any) -> Any:
    return ADD(**{"user_id": "u", "messages": [{"role": "user", "content": "hi"}]} | fields)


def nested(depth: int, *, lists: bool = False) -> dict[str, Any]:
    value: Any = "leaf"
    for _ in range(depth - 1):
        value = [value] if lists else {"k": value}
    return {"k": value}


def test_a_valid_request_passes() -> None:
    request = add(
        metadata={"a": [1, None, True, {"b": "c"}]},
        timestamp=int(NOW.timestamp()),
        expiration_date="2026-06-15",
        request_id=ID,
    )
    assert violations(request) == {}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages"),
        ({"messages": [{"role": "user", "content": " \0\n"}]}, "messages"),
        ({"messages": [{"role": "user", "content": "x" * 262_145}]}, "messages[0].content"),
        ({"user_id": ""}, "user_id"),
        ({"user_id": "a\nb"}, "user_id"),
        ({"includes": ""}, "includes"),
        ({"output_format": "v2"}, "output_format"),
        ({"custom_categories": [{"name": ""}]}, "custom_categories[0].name"),
        ({"timestamp": -1}, "timestamp"),
        ({"timestamp": int((NOW + timedelta(days=1, seconds=1)).timestamp())}, "timestamp"),
        ({"timestamp": 2**62}, "timestamp"),
        ({"expiration_date": "tomorrow"}, "expiration_date"),
        ({"expiration_date": "2026-02-30"}, "expiration_date"),
        ({"expiration_date": "2026-06-14"}, "expiration_date"),
        ({"request_id": "1"}, "request_id"),
        ({"metadata": {"a": {"b": float("inf")}}}, "metadata.a.b"),
        ({"metadata": {"a": [0, float("nan")]}}, "metadata.a[1]"),
        ({"metadata": {"a": "x\0y"}}, "metadata.a"),
        ({"metadata": {"x\0y": 1}}, "metadata"),
        ({"metadata": {"a": "x" * 65_530}}, "metadata"),
        ({"metadata": {"a": "é" * 33_000}}, "metadata"),
        ({"metadata": nested(9)}, "metadata" + ".k" * 8),
        ({"metadata": nested(9, lists=True)}, "metadata.k" + "[0]" * 7),
    ],
)
def test_each_broken_rule_is_one_violation(fields: dict[str, Any], field: str) -> None:
    assert fields_of(add(**fields)) == [field]


@pytest.mark.parametrize(
    "fields",
    [
        {"metadata": nested(8)},
        {"metadata": nested(8, lists=True)},
        {"metadata": {"a": "x" * 65_528}},
        {"metadata": {}},
        {"timestamp": int((NOW + timedelta(days=1)).timestamp())},
        {"timestamp": 0},
        {"messages": [{"role": "system"}, {"role": "user", "content": "x"}]},
        {"user_id": "*"},
    ],
)
def test_values_at_the_limits_are_valid(fields: dict[str, Any]) -> None:
    assert violations(add(**fields)) == {}


def test_a_value_without_a_kind_is_a_violation() -> None:
    request = add()
    request.metadata.fields["a"].SetInParent()
    assert violations(request) == {"metadata.a": "has no value"}


def test_the_day_is_in_utc() -> None:
    east = NOW.astimezone(datetime.strptime("+0900", "%z").tzinfo)
    assert violations(add(expiration_date="2026-06-15"), east) == {}


@pytest.mark.parametrize(
    "request_",
    [
        ADD(messages=[{"role": "user", "content": "x"}]),
        memory_service_pb2.SearchMemoriesRequest(query="q"),
        graph_service_pb2.ListRelationsRequest(),
    ],
)
def test_a_missing_scope_is_reported_at_user_id(request_: Message) -> None:
    found = violations(request_)
    assert list(found) == ["user_id"]
    assert found["user_id"].startswith("name at least one of user_id, agent_id")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"update_mask": {"paths": ["text", "metadata"]}, "changes": {"text": "x"}}, []),
        ({"update_mask": {"paths": ["metadata", "categories", "expiration_date"]}}, []),
        ({"update_mask": {"paths": ["text"]}}, ["changes.text"]),
        ({"update_mask": {"paths": ["text"]}, "changes": {"text": " \0"}}, ["changes.text"]),
        (
            {"update_mask": {"paths": ["categories"]}, "changes": {"categories": ["x", "\0"]}},
            ["changes.categories"],
        ),
        ({"update_mask": {"paths": ["categories", "id"]}}, ["update_mask"]),
        ({"update_mask": {}}, ["update_mask"]),
        ({}, ["update_mask"]),
        (
            {"update_mask": {"paths": ["metadata"]}, "changes": {"expiration_date": "2026-06-14"}},
            ["changes.expiration_date"],
        ),
        (
            {"update_mask": {"paths": ["metadata"]}, "changes": {"metadata": nested(9)}},
            ["changes.metadata" + ".k" * 8],
        ),
    ],
)
def test_an_update_names_known_fields(fields: dict[str, Any], expected: list[str]) -> None:
    assert list(violations(UPDATE(id=ID, **fields))) == expected


def test_items_of_a_batch_are_checked_and_named() -> None:
    batch = memory_service_pb2.BatchUpdateMemoriesRequest(
        requests=[UPDATE(id=ID, update_mask={"paths": [path]}) for path in ("metadata", "id")]
    )
    assert list(violations(batch)) == ["requests[1].update_mask"]


def test_fields_that_items_share_with_the_batch_must_agree() -> None:
    plain = memory_service_pb2.DeleteMemoryRequest(id=ID)
    item = memory_service_pb2.DeleteMemoryRequest(id=ID, org_id="o", project_id="p", request_id=ID)
    batch = memory_service_pb2.BatchDeleteMemoriesRequest
    same = batch(requests=[item], org_id="o", project_id="p", request_id=ID)
    assert violations(same) == {}
    assert list(violations(batch(requests=[plain, item]))) == [
        "requests[1].org_id",
        "requests[1].project_id",
        "requests[1].request_id",
    ]


@pytest.mark.parametrize(
    "make",
    [
        lambda as_of: memory_service_pb2.GetMemoryRequest(id=ID, as_of=as_of),
        lambda as_of: memory_service_pb2.ListMemoriesRequest(as_of=as_of),
        lambda as_of: memory_service_pb2.SearchMemoriesRequest(user_id="u", query="q", as_of=as_of),
        lambda as_of: graph_service_pb2.GetEntityRequest(user_id="u", name="n", as_of=as_of),
    ],
)
def test_as_of_must_be_in_the_past(make: Callable[[Timestamp], Message]) -> None:
    now = Timestamp()
    now.FromDatetime(NOW)
    assert violations(make(now)) == {}
    assert violations(make(Timestamp(seconds=now.seconds + 1))) == {
        "as_of": "must not be in the future"
    }
    assert list(violations(make(Timestamp(nanos=-1)))) == ["as_of"]


def test_latest_only_is_refused_with_as_of() -> None:
    search = memory_service_pb2.SearchMemoriesRequest(user_id="u", query="q", latest_only=True)
    assert violations(search) == {}
    search.as_of.FromDatetime(NOW)
    assert violations(search) == {"latest_only": "cannot be combined with as_of"}


def test_categories_of_a_search_have_no_nul() -> None:
    search = memory_service_pb2.SearchMemoriesRequest(
        user_id="u", query="q", categories=["food", "fo\0od"]
    )
    assert violations(search) == {"categories[1]": "must not contain NUL characters"}


def test_an_update_of_settings_names_known_settings() -> None:
    request = UPDATE_PROJECT(project={}, update_mask={"paths": ["id"]})
    assert list(violations(request)) == ["update_mask"]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (add(messages=[{}] * 1001), "messages"),
        (add(metadata={"k": "x" * 400_000}, includes=""), "metadata"),
        (UPDATE(id=ID, update_mask={"paths": ["x"] * 1001}), "update_mask.paths"),
        (
            memory_service_pb2.BatchUpdateMemoriesRequest(
                requests=[UPDATE(id=ID, changes={"categories": ["x"] * 101})]
            ),
            "requests[0].changes.categories",
        ),
    ],
)
def test_values_far_beyond_the_limits_are_refused_at_once(request_: Message, field: str) -> None:
    assert list(violations(request_)) == [field]
