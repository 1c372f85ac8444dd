"""Tokens can be read back, and any other text is refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from asyncpg.pgproto import pgproto as asyncpg_uuid
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from memoir.v1.graph_service_pb2 import ListRelationsRequest
from memoir.v1.memory_service_pb2 import ListMemoriesRequest
from pydantic import TypeAdapter

from server.api.grpc.convert.tokens import (
    KEY_BYTES,
    ProjectTokens,
    consistency_token,
    page_token,
    read_consistency_token,
    read_page_token,
    read_stream_cursor,
    stream_cursor,
)
from server.api.grpc.validation import field_violations
from server.core.errors import InvalidRequest
from server.graph.model import (
    MAX_NAME_LENGTH,
    MAX_RELATION_LENGTH,
    EntityCursor,
    RelationCursor,
    entity_key,
)
from server.memories.change.scopes import ScopeCursor
from server.memories.memory import FIRST_ORDINAL, ListCursor, StreamCursor
from server.memories.scope import ScopeKind
from tests.support.tokens import tokens_of

TOKENS = tokens_of()
NOW = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
ID = UUID(int=7)
LIST = ListMemoriesRequest(user_id="alice")
RELATIONS = ListRelationsRequest(user_id="alice")
LIST_CURSOR = ListCursor(NOW, ID)
LISTS, RELATION_CURSORS = TypeAdapter(ListCursor), TypeAdapter(RelationCursor)
STREAM_CURSOR = StreamCursor(5, 6, 7, ID, 8)
RELATION_CURSOR = RelationCursor(NOW, ID, "alice", "lives_in", "lisbon")

times = st.datetimes(
    min_value=datetime(2, 1, 1),  # noqa: DTZ001 - Hypothesis adds the time zone
    max_value=datetime(9998, 1, 1),  # noqa: DTZ001 - the same
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=9))]),
)


@given(times, st.uuids())
def test_a_list_token_can_be_read_back(time: datetime, memory_id: UUID) -> None:
    cursor = ListCursor(time, memory_id)
    assert read_page_token(TOKENS, LIST, page_token(TOKENS, LIST, cursor), LISTS) == cursor


@given(times, st.uuids(), st.text(), st.text(), st.text())
def test_a_relation_token_can_be_read_back(
    time: datetime, memory_id: UUID, source: str, relation: str, target: str
) -> None:
    cursor = RelationCursor(time, memory_id, source, relation, target)
    token = page_token(TOKENS, RELATIONS, cursor)
    assert read_page_token(TOKENS, RELATIONS, token, RELATION_CURSORS) == cursor


@pytest.mark.parametrize(
    "cursor",
    [
        EntityCursor("user:alice", '\U0001f9e0 "tea"', 7),
        ScopeCursor(ScopeKind.AGENT, "helper"),
        ID,
        asyncpg_uuid.UUID(ID.hex),
    ],
    ids=repr,
)
def test_a_token_of_any_cursor_can_be_read_back(cursor: EntityCursor | ScopeCursor | UUID) -> None:
    cursors = TypeAdapter(UUID if isinstance(cursor, UUID) else type(cursor))
    token = page_token(TOKENS, LIST, cursor)
    assert read_page_token(TOKENS, LIST, token, cursors) == cursor


@given(st.integers(0, 2**63 - 1))
def test_a_consistency_token_can_be_read_back(position: int) -> None:
    assert read_consistency_token(TOKENS, consistency_token(TOKENS, position)) == position


def test_an_empty_position_is_an_empty_token_and_vice_versa() -> None:
    assert page_token(TOKENS, LIST, None) == page_token(TOKENS, RELATIONS, None) == ""
    assert read_page_token(TOKENS, LIST, "", LISTS) is None
    assert read_page_token(TOKENS, RELATIONS, "", RELATION_CURSORS) is None


def violated(error: InvalidRequest) -> list[str]:
    return [violation.field for violation in error.violations]


def refused_fields(token: str) -> list[str]:
    """Reads the token as each kind, which must fail, and returns the named fields."""
    readers: list[Callable[[], object]] = [
        lambda: read_page_token(TOKENS, LIST, token, LISTS),
        lambda: read_page_token(TOKENS, RELATIONS, token, RELATION_CURSORS),
        lambda: read_consistency_token(TOKENS, token),
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


@pytest.mark.parametrize("read", [read_consistency_token, read_stream_cursor])
def test_an_altered_token_is_refused(read: Callable[[ProjectTokens, str], object]) -> None:
    token = stream_cursor(TOKENS, STREAM_CURSOR)
    if read is read_consistency_token:
        token = consistency_token(TOKENS, 1)
    read(TOKENS, token)
    for place, letter in enumerate(token):
        other = "A" if letter != "A" else "B"
        with pytest.raises(InvalidRequest):
            read(TOKENS, token[:place] + other + token[place + 1 :])


@pytest.mark.parametrize(
    "other",
    [tokens_of("another-project"), tokens_of(key=b"\1" * KEY_BYTES)],
    ids=["project", "key"],
)
def test_a_token_of_another_project_or_key_is_refused(other: ProjectTokens) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_consistency_token(TOKENS, consistency_token(other, 1))
    assert violated(raised.value) == ["consistency_token"]
    with pytest.raises(InvalidRequest) as raised:
        read_stream_cursor(TOKENS, stream_cursor(other, STREAM_CURSOR))
    assert violated(raised.value) == ["cursor"]
    with pytest.raises(InvalidRequest) as raised:
        read_page_token(TOKENS, LIST, page_token(other, LIST, LIST_CURSOR), LISTS)
    assert violated(raised.value) == ["page_token"]


def test_the_length_of_a_token_does_not_reveal_its_numbers() -> None:
    assert len({len(consistency_token(TOKENS, 10**digits)) for digits in range(19)}) == 1
    cursors = [replace(STREAM_CURSOR, transaction_id=10**digits) for digits in range(19)]
    assert len({len(stream_cursor(TOKENS, cursor)) for cursor in cursors}) == 1
    decoded = base64.urlsafe_b64decode(consistency_token(TOKENS, 77))
    assert (77).to_bytes(2) not in decoded


@given(
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**63 - 1),
    st.integers(FIRST_ORDINAL, 2**31 - 1),
    st.uuids(),
    st.integers(0, 2**63 - 1),
)
def test_a_cursor_can_be_read_back(
    transaction_id: int, position: int, ordinal: int, memory_id: UUID, version: int
) -> None:
    cursor = StreamCursor(transaction_id, position, ordinal, memory_id, version)
    assert read_stream_cursor(TOKENS, stream_cursor(TOKENS, cursor)) == cursor


def test_a_token_has_only_one_valid_spelling() -> None:
    token = page_token(TOKENS, LIST, LIST_CURSOR)
    for altered in (token + "=", token[:8] + "\n" + token[8:], token + "A", token[:-1]):
        with pytest.raises(InvalidRequest):
            read_page_token(TOKENS, LIST, altered, LISTS)


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
    token = page_token(TOKENS, LIST, LIST_CURSOR)
    with pytest.raises(InvalidRequest):
        read_page_token(TOKENS, other, token, LISTS)


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
    token = page_token(TOKENS, RELATIONS, RELATION_CURSOR)
    with pytest.raises(InvalidRequest):
        read_page_token(TOKENS, other, token, RELATION_CURSORS)


def test_tokens_of_one_kind_are_refused_as_another() -> None:
    tokens = (
        page_token(TOKENS, LIST, LIST_CURSOR),
        page_token(TOKENS, RELATIONS, RELATION_CURSOR),
        consistency_token(TOKENS, 1),
    )
    readings: list[Callable[[str], object]] = [
        lambda token: read_page_token(TOKENS, LIST, token, LISTS),
        lambda token: read_page_token(TOKENS, RELATIONS, token, RELATION_CURSORS),
        lambda token: read_consistency_token(TOKENS, token),
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
    token = page_token(TOKENS, request_, LIST_CURSOR)
    for field, value in changes.items():
        setattr(request_, field, value)
    assert read_page_token(TOKENS, request_, token, LISTS) == LIST_CURSOR


def test_a_later_page_does_not_wait_for_the_graph_again() -> None:
    token = page_token(TOKENS, RELATIONS, RELATION_CURSOR)
    later = ListRelationsRequest(user_id="alice", consistency_token=consistency_token(TOKENS, 7))
    assert read_page_token(TOKENS, later, token, RELATION_CURSORS) == RELATION_CURSOR


def test_tokens_do_not_change_the_request() -> None:
    request = ListMemoriesRequest(user_id="alice", page_size=5, page_token="x")
    before: Message = ListMemoriesRequest()
    before.CopyFrom(request)
    page_token(TOKENS, request, LIST_CURSOR)
    assert request == before


@pytest.mark.parametrize("letter", ["x", "\u65e5", "\U0001f9e0", '"', "\\", "\ufdfa"])
def test_every_issued_token_passes_validation(letter: str) -> None:
    key, relation = entity_key(letter * MAX_NAME_LENGTH), letter * MAX_RELATION_LENGTH
    token = page_token(TOKENS, RELATIONS, RelationCursor(NOW, ID, key, relation, key))
    request = ListRelationsRequest(user_id="alice", page_token=token)
    request.consistency_token = consistency_token(TOKENS, 2**63 - 1)
    assert field_violations(request) == []
    page = ListMemoriesRequest(user_id="alice", page_token=page_token(TOKENS, LIST, LIST_CURSOR))
    assert field_violations(page) == []
