"""Converting Python arguments to requests."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from memoir import memory_calls, project_calls
from memoir.requests import build, to_messages
from memoir.v1 import memory_service_pb2, statistics_service_pb2


def test_a_string_is_a_message_of_the_user() -> None:
    [message] = to_messages("I moved to Lisbon")
    assert (message.role, message.content) == ("user", "I moved to Lisbon")


def test_one_or_several_messages_are_accepted() -> None:
    one = to_messages({"role": "assistant", "content": "Hello", "name": "Ada"})
    many = to_messages([{"role": "user", "content": "a"}, {"role": "tool", "content": None}])
    assert [(m.role, m.name) for m in one] == [("assistant", "Ada")]
    assert [m.HasField("content") for m in many] == [True, False]


@pytest.mark.parametrize("messages", [[{"role": "user", "text": "a"}], [["user", "a"]], 7])
def test_messages_of_another_form_are_refused(messages: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        to_messages(messages)


def test_times_are_converted_to_the_type_of_the_field() -> None:
    noon = datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    add = build(
        memory_service_pb2.AddMemoriesRequest,
        {"timestamp": noon, "expiration_date": date(2027, 1, 31)},
    )
    search = build(memory_service_pb2.SearchMemoriesRequest, {"as_of": noon})
    watch = build(
        statistics_service_pb2.WatchStatisticsRequest, {"interval": timedelta(seconds=1.5)}
    )
    assert (add.timestamp, add.expiration_date) == (1777629600, "2027-01-31")
    assert search.as_of.ToDatetime(UTC) == noon
    assert watch.interval.ToMilliseconds() == 1500


def test_a_naive_datetime_is_in_utc() -> None:
    naive = datetime(2026, 5, 1, 10, tzinfo=UTC).replace(tzinfo=None)
    add = build(memory_service_pb2.AddMemoriesRequest, {"timestamp": naive})
    assert add.timestamp == 1777629600


def test_none_leaves_a_field_out_and_an_unknown_field_is_refused() -> None:
    request = build(memory_service_pb2.SearchMemoriesRequest, {"query": "q", "user_id": None})
    assert not request.HasField("user_id")
    with pytest.raises(ValueError, match="usr_id"):
        build(memory_service_pb2.SearchMemoriesRequest, {"usr_id": "alice"})


def test_an_update_lists_the_fields_that_it_changes_and_clears() -> None:
    request = memory_calls.update("id", {"text": "new", "metadata": None, "etag": "e"}).request
    assert isinstance(request, memory_service_pb2.UpdateMemoryRequest)
    assert list(request.update_mask.paths) == ["text", "metadata"]
    assert (request.changes.text, request.etag) == ("new", "e")
    assert not request.changes.HasField("metadata")


def test_the_given_settings_of_a_project_form_the_mask() -> None:
    call = project_calls.update_project({"default_retention_days": 30, "project_id": "shop"})
    assert 'paths: "default_retention_days"' in str(call.request)
    assert 'project_id: "shop"' in str(call.request)


def test_each_write_has_a_request_id_of_its_own() -> None:
    first, second = (memory_calls.delete("id", {}).request for _ in range(2))
    assert isinstance(first, memory_service_pb2.DeleteMemoryRequest)
    assert isinstance(second, memory_service_pb2.DeleteMemoryRequest)
    assert first.request_id != second.request_id
    chosen = memory_calls.delete("id", {"request_id": "mine"}).request
    assert isinstance(chosen, memory_service_pb2.DeleteMemoryRequest)
    assert chosen.request_id == "mine"


@pytest.mark.parametrize("timeout", [0, -1, "1"])
def test_a_timeout_is_a_positive_number(timeout: object) -> None:
    with pytest.raises(ValueError, match="positive"):
        memory_calls.get("id", {"timeout": timeout})


def test_a_scope_kind_is_one_of_four() -> None:
    with pytest.raises(ValueError, match="user, agent, app or run"):
        memory_calls.delete_scope("tenant", "x", {})
