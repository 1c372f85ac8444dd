"""Opaque strings that clients hand back: page tokens and consistency tokens.

They hold nothing secret and grant nothing: what they lead to is bound to the caller's project like
everything else.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from google.protobuf.message import Message

from server.core.errors import FieldViolation, InvalidRequest
from server.core.pages import EntityCursor, ListCursor, RelationCursor
from server.memories.memory import StreamCursor
from server.memories.scope import ScopeKind

_MAX_SKIPPED = 2**31
PAGE_FIELDS = ("page_size", "page_token", "consistency_token")


class _Unreadable(Exception):
    """The token is not one of ours."""


def _encode(values: Sequence[str]) -> str:
    raw = json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(token: str, count: int) -> list[str]:
    try:
        values = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        ours = _encode(values) == token
    except (ValueError, RecursionError) as error:
        raise _Unreadable from error
    if not ours or not isinstance(values, list) or len(values) != count:
        raise _Unreadable
    if not all(isinstance(value, str) for value in values):
        raise _Unreadable
    return values


def _question(request: Message) -> str:
    """A digest of everything in the request that must not change from page to page."""
    question = type(request)()
    question.CopyFrom(request)
    for field in PAGE_FIELDS:
        if field in question.DESCRIPTOR.fields_by_name:
            question.ClearField(field)
    raw = question.SerializeToString(deterministic=True)
    return hashlib.sha256(raw).hexdigest()[:16]


def _invalid_page() -> InvalidRequest:
    return InvalidRequest(
        [FieldViolation("page_token", "not a token of this request; start at the first page")]
    )


def _page_values(request: Message, token: str, count: int) -> list[str]:
    question, *values = _decode(token, count + 1)
    if question != _question(request):
        raise _Unreadable
    return values


def list_page_token(request: Message, cursor: ListCursor | None) -> str:
    """The token of the page that begins after `cursor`; empty for None."""
    if cursor is None:
        return ""
    return _encode([_question(request), cursor.create_time.isoformat(), str(cursor.memory_id)])


def read_list_page_token(request: Message, token: str) -> ListCursor | None:
    """Where the page begins; None for the first.

    Raises:
        InvalidRequest: the token is not one of this request.
    """
    if not token:
        return None
    try:
        create_time, memory_id = _page_values(request, token, 2)
        return ListCursor(_read_time(create_time), UUID(memory_id))
    except (_Unreadable, ValueError, OverflowError) as error:
        raise _invalid_page() from error


def number_page_token(request: Message, number: int | None) -> str:
    """The token of the page that begins after `number`; empty for None."""
    return "" if number is None else _encode([_question(request), str(number)])


def read_number_page_token(request: Message, token: str) -> int:
    """The number after which the page begins; 0 for the first.

    Raises:
        InvalidRequest: the token is not one of this request.
    """
    if not token:
        return 0
    try:
        [number] = _page_values(request, token, 1)
        if not 0 <= int(number) < 2**63:
            raise _Unreadable
        return int(number)
    except (_Unreadable, ValueError) as error:
        raise _invalid_page() from error


def operation_page_token(request: Message, end: UUID | None) -> str:
    """The token of the page that begins after the operation `end`; empty for None."""
    return "" if end is None else _encode([_question(request), str(end)])


def read_operation_page_token(request: Message, token: str) -> UUID | None:
    """The operation after which the page begins; None for the first.

    Raises:
        InvalidRequest: the token is not one of this request.
    """
    if not token:
        return None
    try:
        [end] = _page_values(request, token, 1)
        return UUID(end)
    except (_Unreadable, ValueError) as error:
        raise _invalid_page() from error


def scope_page_token(request: Message, end: tuple[ScopeKind, str] | None) -> str:
    """The token of the page that begins after the scope of this kind and id; empty for None."""
    return "" if end is None else _encode([_question(request), *end])


def read_scope_page_token(request: Message, token: str) -> tuple[ScopeKind, str] | None:
    """Where the page begins, by kind and id; None for the first.

    Raises:
        InvalidRequest: the token is not one of this request.
    """
    if not token:
        return None
    try:
        kind, scope_id = _page_values(request, token, 2)
        if "\0" in scope_id:
            raise _Unreadable
        return ScopeKind(kind), scope_id
    except (_Unreadable, ValueError) as error:
        raise _invalid_page() from error


def relation_page_token(request: Message, cursor: RelationCursor | None) -> str:
    """The token of the page that begins after `cursor`; empty for None."""
    if cursor is None:
        return ""
    return _encode(
        [
            _question(request),
            cursor.event_time.isoformat(),
            str(cursor.memory_id),
            cursor.source_key,
            cursor.relation,
            cursor.target_key,
        ]
    )


def read_relation_page_token(request: Message, token: str) -> RelationCursor | None:
    """Where the page begins; None for the first.

    Raises:
        InvalidRequest: the token is not one of this request.
    """
    if not token:
        return None
    try:
        event_time, memory_id, source, relation, target = _page_values(request, token, 5)
        return RelationCursor(_read_time(event_time), UUID(memory_id), source, relation, target)
    except (_Unreadable, ValueError, OverflowError) as error:
        raise _invalid_page() from error


def entity_page_token(request: Message, cursor: EntityCursor | None) -> str:
    """The token of the page that begins after `cursor`; empty for None."""
    if cursor is None:
        return ""
    return _encode([_question(request), cursor.space, cursor.key, str(cursor.skipped)])


def read_entity_page_token(request: Message, token: str) -> EntityCursor | None:
    """Where the page begins; None for the first.

    Raises:
        InvalidRequest: the token is not one of this request.
    """
    if not token:
        return None
    try:
        space, key, skipped = _page_values(request, token, 3)
        if not 0 <= int(skipped) < _MAX_SKIPPED:
            raise _Unreadable
        return EntityCursor(space, key, int(skipped))
    except (_Unreadable, ValueError) as error:
        raise _invalid_page() from error


def _read_time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise _Unreadable
    return time.astimezone(UTC)


def stream_cursor(cursor: StreamCursor) -> str:
    """The cursor with which a stream of events is resumed."""
    return _encode(
        [
            "event",
            str(cursor.transaction_id),
            str(cursor.position),
            str(cursor.ordinal),
            str(cursor.memory_id),
            str(cursor.version),
        ]
    )


def read_stream_cursor(token: str) -> StreamCursor:
    """The position in the stream.

    Raises:
        InvalidRequest: the cursor is not one of ours.
    """
    try:
        kind, transaction_id, position, ordinal, memory_id, version = _decode(token, 6)
        cursor = StreamCursor(
            int(transaction_id), int(position), int(ordinal), UUID(memory_id), int(version)
        )
        if kind != "event" or not _is_in_range(cursor):
            raise _Unreadable
        return cursor
    except (_Unreadable, ValueError) as error:
        raise InvalidRequest([FieldViolation("cursor", "not a cursor of this service")]) from error


def _is_in_range(cursor: StreamCursor) -> bool:
    return (
        0 <= cursor.transaction_id < 2**64
        and 0 <= cursor.position < 2**63
        and -(2**31) <= cursor.ordinal < 2**31
        and 0 <= cursor.version < 2**63
    )


def consistency_token(position: int) -> str:
    """The token of a write at `position`."""
    return _encode(["position", str(position)])


def read_consistency_token(token: str) -> int:
    """The position of the write.

    Raises:
        InvalidRequest: the token is not one of ours.
    """
    try:
        kind, position = _decode(token, 2)
        if kind != "position" or not 0 <= int(position) < 2**63:
            raise _Unreadable
        return int(position)
    except (_Unreadable, ValueError) as error:
        raise InvalidRequest(
            [FieldViolation("consistency_token", "not a token of this service")]
        ) from error
