"""Tokens: what is written is read back, and whatever else comes is the client's fault."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from memoir.v1.graph_service_pb2 import ListRelationsRequest
from memoir.v1.memory_service_pb2 import ListMemoriesRequest

from server.api.grpc.convert.tokens import (
    consistency_token,
    list_page_token,
    read_consistency_token,
    read_list_page_token,
    read_relation_page_token,
    relation_page_token,
)
from server.api.grpc.validation import field_violations
from server.core.errors import InvalidRequest
from server.core.pages import ListCursor, RelationCursor
from server.graph.model import MAX_NAME_LENGTH, MAX_RELATION_LENGTH, entity_key

NOW = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
ID = UUID(int=7)
LIST = ListMemoriesRequest(user_id="alice")
RELATIONS = ListRelationsRequest(user_id="alice")
LIST_CURSOR = ListCursor(NOW, ID)
RELATION_CURSOR = RelationCursor(NOW, ID, "alice", "lives_in", "lisbon")

times = st.datetimes(
    min_value=datetime(2, 1, 1),  # noqa: DTZ001 - Hypothesis adds the time zone
    max_value=datetime(9998, 1, 1),  # noqa: DTZ001 - the same
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=9))]),
)


@given(times, st.uuids())
def test_a_list_token_leads_back_to_its_place(time: datetime, memory_id: UUID) -> None:
    cursor = ListCursor(time, memory_id)
    assert read_list_page_token(LIST, list_page_token(LIST, cursor)) == cursor


@given(times, st.uuids(), st.text(), st.text(), st.text())
def test_a_relation_token_leads_back_to_its_place(
    time: datetime, memory_id: UUID, source: str, relation: str, target: str
) -> None:
    cursor = RelationCursor(time, memory_id, source, relation, target)
    token = relation_page_token(RELATIONS, cursor)
    assert read_relation_page_token(RELATIONS, token) == cursor


@given(st.integers(0, 2**63 - 1))
def test_a_consistency_token_leads_back_to_its_write(position: int) -> None:
    assert read_consistency_token(consistency_token(position)) == position


def test_no_place_is_no_token_and_the_other_way_round() -> None:
    assert list_page_token(LIST, None) == relation_page_token(RELATIONS, None) == ""
    assert read_list_page_token(LIST, "") is None
    assert read_relation_page_token(RELATIONS, "") is None


def violated(error: InvalidRequest) -> list[str]:
    return [violation.field for violation in error.violations]


def refused_fields(token: str) -> list[str]:
    """Reads the token in every way, none of which may succeed, and answers what is named."""
    readers: list[Callable[[], object]] = [
        lambda: read_list_page_token(LIST, token),
        lambda: read_relation_page_token(RELATIONS, token),
        lambda: read_consistency_token(token),
    ]
    fields = []
    for read in readers:
        with pytest.raises(InvalidRequest) as raised:
            read()
        fields += violated(raised.value)
    return fields


ALL_FIELDS = ["page_token", "page_token", "consistency_token"]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.text(), inner, max_size=2),
)


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@given(st.text(min_size=1) | st.binary(min_size=1).map(encoded))
def test_any_text_is_refused_as_a_token(token: str) -> None:
    assert refused_fields(token) == ALL_FIELDS


@given(json_values)
def test_any_json_is_refused_as_a_token(value: object) -> None:
    assert refused_fields(encoded(json.dumps(value).encode())) == ALL_FIELDS


@pytest.mark.parametrize(
    "raw", [b"[" * 100_000, b"\xff\xfe", b"[1" + b"0" * 5000 + b"]", b"null", b""]
)
def test_hostile_json_is_refused_as_a_token(raw: bytes) -> None:
    if raw:
        assert refused_fields(encoded(raw)) == ALL_FIELDS


def forged(token: str, place: int, value: str) -> str:
    """The token with one of its values replaced, spelled as JSON spells it."""
    values = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    values[place] = value
    return encoded(json.dumps(values, separators=(",", ":")).encode())


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (1, "2026-11-23T12:00:00"),  # of no time zone
        (1, "0001-01-01T00:00:00+14:00"),  # before the first year
        (1, "9999-12-31T23:59:59-12:00"),  # after the last one
        (1, "now"),
        (2, "7"),
        (2, ""),
        (3, "\ud800"),  # half a character
    ],
)
def test_a_forged_place_is_refused(place: int, value: str) -> None:
    token = forged(relation_page_token(RELATIONS, RELATION_CURSOR), place, value)
    with pytest.raises(InvalidRequest) as raised:
        read_relation_page_token(RELATIONS, token)
    assert violated(raised.value) == ["page_token"]
    if place < 3:
        token = forged(list_page_token(LIST, LIST_CURSOR), place, value)
        with pytest.raises(InvalidRequest):
            read_list_page_token(LIST, token)


@pytest.mark.parametrize("value", ["-1", str(2**63), "1.0", "", "x"])
def test_a_forged_position_is_refused(value: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_consistency_token(forged(consistency_token(1), 1, value))
    assert violated(raised.value) == ["consistency_token"]


def test_a_token_of_another_kind_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        read_consistency_token(forged(consistency_token(1), 0, "place"))


def test_a_token_is_read_only_as_it_was_written() -> None:
    token = list_page_token(LIST, LIST_CURSOR)
    for altered in (token + "=", token[:8] + "\n" + token[8:], token + "A", token[:-1]):
        with pytest.raises(InvalidRequest):
            read_list_page_token(LIST, altered)


@pytest.mark.parametrize(
    "other",
    [
        ListMemoriesRequest(user_id="bob"),
        ListMemoriesRequest(agent_id="alice"),
        ListMemoriesRequest(user_id="alice", run_id="r"),
        ListMemoriesRequest(user_id="alice", order_by="create_time asc"),
        ListMemoriesRequest(user_id="alice", show_expired=True),
        ListMemoriesRequest(user_id="alice", project_id="p"),
    ],
    ids=str,
)
def test_the_token_of_another_list_is_refused(other: ListMemoriesRequest) -> None:
    token = list_page_token(LIST, LIST_CURSOR)
    with pytest.raises(InvalidRequest):
        read_list_page_token(other, token)


@pytest.mark.parametrize(
    "other",
    [
        ListRelationsRequest(user_id="bob"),
        ListRelationsRequest(user_id="alice", entity="Alice"),
        ListRelationsRequest(user_id="alice", relation="lives_in"),
    ],
    ids=str,
)
def test_the_token_of_other_relations_is_refused(other: ListRelationsRequest) -> None:
    token = relation_page_token(RELATIONS, RELATION_CURSOR)
    with pytest.raises(InvalidRequest):
        read_relation_page_token(other, token)


def test_tokens_of_one_kind_are_not_taken_for_another() -> None:
    tokens = (
        list_page_token(LIST, LIST_CURSOR),
        relation_page_token(RELATIONS, RELATION_CURSOR),
        consistency_token(1),
    )
    readings: list[Callable[[str], object]] = [
        lambda token: read_list_page_token(LIST, token),
        lambda token: read_relation_page_token(RELATIONS, token),
        read_consistency_token,
    ]
    for kind, read in enumerate(readings):
        for other, token in enumerate(tokens):
            if kind != other:
                with pytest.raises(InvalidRequest):
                    read(token)


@pytest.mark.parametrize(
    ("request_", "changes"),
    [
        (ListMemoriesRequest(user_id="alice", page_size=5), {"page_size": 7, "page_token": "x"}),
        (ListMemoriesRequest(user_id="alice"), {"page_token": "x"}),
    ],
)
def test_pages_may_differ_in_size(request_: ListMemoriesRequest, changes: dict[str, int]) -> None:
    token = list_page_token(request_, LIST_CURSOR)
    for field, value in changes.items():
        setattr(request_, field, value)
    assert read_list_page_token(request_, token) == LIST_CURSOR


def test_a_later_page_needs_not_wait_for_the_graph_again() -> None:
    token = relation_page_token(RELATIONS, RELATION_CURSOR)
    later = ListRelationsRequest(user_id="alice", consistency_token=consistency_token(7))
    assert read_relation_page_token(later, token) == RELATION_CURSOR


def test_tokens_do_not_change_the_request() -> None:
    request = ListMemoriesRequest(user_id="alice", page_size=5, page_token="x")
    before: Message = ListMemoriesRequest()
    before.CopyFrom(request)
    list_page_token(request, LIST_CURSOR)
    assert request == before


@pytest.mark.parametrize("letter", ["x", "\u65e5", "\U0001f9e0", '"', "\\", "\ufdfa"])
def test_every_token_that_is_given_out_passes_validation_when_it_comes_back(letter: str) -> None:
    key, relation = entity_key(letter * MAX_NAME_LENGTH), letter * MAX_RELATION_LENGTH
    token = relation_page_token(RELATIONS, RelationCursor(NOW, ID, key, relation, key))
    request = ListRelationsRequest(user_id="alice", page_token=token)
    request.consistency_token = consistency_token(2**63 - 1)
    assert field_violations(request) == []
    page = ListMemoriesRequest(user_id="alice", page_token=list_page_token(LIST, LIST_CURSOR))
    assert field_violations(page) == []
