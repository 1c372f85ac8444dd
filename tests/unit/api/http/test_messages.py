"""Converting JSON to messages of the contract."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format
from memoir.v1.memory_service_pb2 import (
    AddMemoriesRequest,
    DeleteScopeRequest,
    ListMemoriesRequest,
    ScopeKind,
    SearchMemoriesRequest,
    UpdateMemoryRequest,
)

from server.api.http.messages import read_message


def faults(value: object, message: Any) -> dict[str, str]:
    return {each.field: each.description for each in read_message(value, message)}


def test_json_is_read_as_by_protobuf() -> None:
    value = {
        "messages": [{"role": "user", "content": "hi"}, {"role": "tool", "content": None}],
        "user_id": "alice",
        "metadata": {"a": [1, {"b": None}], "c": True},
        "infer": False,
        "timestamp": "1780000000",
        "custom_categories": [{"name": "travel"}],
    }
    read, expected = AddMemoriesRequest(), AddMemoriesRequest()
    assert not faults(value, read)
    json_format.ParseDict(value, expected)
    assert read == expected


def test_every_error_is_named() -> None:
    value = {
        "messages": [{"role": 1, "content": ["x"]}, "hi"],
        "user_id": 7,
        "metadata": "none",
        "infer": "yes",
        "timestamp": 1.5,
        "custom_categories": {"travel": ""},
        "what": 1,
    }
    assert faults(value, AddMemoriesRequest()) == {
        "messages[0].role": "must be a string",
        "messages[0].content": "must be a string",
        "messages[1]": "must be an object",
        "user_id": "must be a string",
        "metadata": "must be an object",
        "infer": "must be true or false",
        "timestamp": "must be a whole number",
        "custom_categories": "must be a list",
        "what": "there is no such field",
    }


def test_names_may_be_in_camel_case() -> None:
    message = ListMemoriesRequest()
    assert not faults({"userId": "alice", "pageSize": 3}, message)
    assert message == ListMemoriesRequest(user_id="alice", page_size=3)


@pytest.mark.parametrize(
    "mask", ["text,expiration_date", "text,expirationDate", {"paths": ["text", "expiration_date"]}]
)
def test_a_mask_may_be_written_in_any_form(mask: object) -> None:
    message = UpdateMemoryRequest()
    assert not faults({"update_mask": mask}, message)
    assert list(message.update_mask.paths) == ["text", "expiration_date"]


@pytest.mark.parametrize("mask", [3, ["text"], {"paths": "text"}])
def test_invalid_masks_are_refused(mask: object) -> None:
    assert list(faults({"update_mask": mask}, UpdateMemoryRequest())) == ["update_mask"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("top_k", 2**31),
        ("top_k", True),
        ("top_k", "many"),
        ("threshold", "1"),
        ("threshold", True),
        ("as_of", "yesterday"),
        ("as_of", 3),
        ("sources", ["SEARCH_SOURCE_NONE"]),
        ("query", "\ud800"),
        ("filters", [1]),
    ],
)
def test_values_of_the_wrong_kind_are_refused(field: str, value: object) -> None:
    (named,) = faults({field: value}, SearchMemoriesRequest())
    assert named.startswith(field)


@pytest.mark.parametrize("kind", ["SCOPE_KIND_USER", 1])
def test_an_enum_may_be_a_name_or_a_number(kind: object) -> None:
    message = DeleteScopeRequest()
    assert not faults({"kind": kind}, message)
    assert message.kind == ScopeKind.SCOPE_KIND_USER


def test_deeply_nested_filters_are_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"AND": [deep]}
    assert list(faults({"filters": deep}, ListMemoriesRequest())) == ["filters"]
