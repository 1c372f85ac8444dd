"""The content of tokens of pages, streams and writes, and the size limit of pages."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import accumulate, takewhile
from typing import Final, TypeVar
from uuid import UUID

from google.protobuf.message import Message

from server.api.grpc.tokens import ProjectTokens, TokenKind, UnreadableToken
from server.core.errors import FieldViolation, InvalidRequest
from server.core.values import MAX_ANSWER_BYTES, MAX_ITEMS_BYTES
from server.graph.model import EntityCursor, RelationCursor
from server.memories.memory import ListCursor, StreamCursor
from server.memories.scope import ScopeKind

_NUMBER: Final = struct.Struct(">q")
# Transaction, position, ordinal, version, memory.
_STREAM: Final = struct.Struct(">Qqiq16s")
PAGE_FIELDS = ("page_size", "page_token", "consistency_token")


def _question(request: Message) -> bytes:
    """Returns a digest of all parts of the request that must not change from page to page."""
    question = type(request)()
    question.CopyFrom(request)
    for field in PAGE_FIELDS:
        if field in question.DESCRIPTOR.fields_by_name:
            question.ClearField(field)
    digest = hashlib.sha256(question.DESCRIPTOR.full_name.encode() + b"\0")
    digest.update(question.SerializeToString(deterministic=True))
    return digest.digest()


def _page_token(tokens: ProjectTokens, request: Message, content: bytes) -> str:
    return tokens.seal(TokenKind.PAGE, content, _question(request))


def _page_content(tokens: ProjectTokens, request: Message, token: str) -> bytes:
    not_one = FieldViolation("page_token", "not a token of this request; start at the first page")
    return _opened(tokens, TokenKind.PAGE, token, not_one, _question(request))


def _opened(
    tokens: ProjectTokens,
    kind: TokenKind,
    token: str,
    not_one: FieldViolation,
    question: bytes = b"",
) -> bytes:
    """Returns the content of the token.

    Raises:
        InvalidRequest: it cannot be read, with the violation `not_one`.
    """
    try:
        return tokens.open(kind, token, question)
    except UnreadableToken as error:
        raise InvalidRequest([not_one]) from error


def _texts(values: Sequence[str]) -> bytes:
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()


def list_page_token(tokens: ProjectTokens, request: Message, cursor: ListCursor | None) -> str:
    """Returns the token of the page that begins after `cursor`; empty for None."""
    if cursor is None:
        return ""
    content = _texts([cursor.create_time.isoformat(), str(cursor.memory_id)])
    return _page_token(tokens, request, content)


def read_list_page_token(tokens: ProjectTokens, request: Message, token: str) -> ListCursor | None:
    """Returns the start of the page; None for the first page.

    Raises:
        InvalidRequest: the token is not one of this request.
    """
    if not token:
        return None
    create_time, memory_id = json.loads(_page_content(tokens, request, token))
    return ListCursor(_read_time(create_time), UUID(memory_id))


def number_page_token(tokens: ProjectTokens, request: Message, number: int | None) -> str:
    """Returns the token of the page that begins after `number`; empty for None."""
    return "" if number is None else _page_token(tokens, request, _NUMBER.pack(number))


def read_number_page_token(tokens: ProjectTokens, request: Message, token: str) -> int:
    """Returns the number after which the page begins; 0 for the first.

    Raises:
        InvalidRequest: the token is not one of this request.
    """
    if not token:
        return 0
    number: int
    (number,) = _NUMBER.unpack(_page_content(tokens, request, token))
    return number


def operation_page_token(tokens: ProjectTokens, request: Message, end: UUID | None) -> str:
    """Returns the token of the page that begins after the operation `end`; empty for None."""
    return "" if end is None else _page_token(tokens, request, end.bytes)


def read_operation_page_token(tokens: ProjectTokens, request: Message, token: str) -> UUID | None:
    """Returns the operation after which the page begins; None for the first.

    Raises:
        InvalidRequest: the token is not one of this request.
    """
    return UUID(bytes=_page_content(tokens, request, token)) if token else None


def scope_page_token(
    tokens: ProjectTokens, request: Message, end: tuple[ScopeKind, str] | None
) -> str:
    """Returns the token of the page after the scope of this kind and id; empty for None."""
    return "" if end is None else _page_token(tokens, request, _texts(end))


def read_scope_page_token(
    tokens: ProjectTokens, request: Message, token: str
) -> tuple[ScopeKind, str] | None:
    """Returns the start of the page by kind and id; None for the first page.

    Raises:
        InvalidRequest: the token is not one of this request.
    """
    if not token:
        return None
    kind, scope_id = json.loads(_page_content(tokens, request, token))
    return ScopeKind(kind), scope_id


def relation_page_token(
    tokens: ProjectTokens, request: Message, cursor: RelationCursor | None
) -> str:
    """Returns the token of the page that begins after `cursor`; empty for None."""
    if cursor is None:
        return ""
    content = _texts(
        [
            cursor.event_time.isoformat(),
            str(cursor.memory_id),
            cursor.source_key,
            cursor.relation,
            cursor.target_key,
        ]
    )
    return _page_token(tokens, request, content)


def read_relation_page_token(
    tokens: ProjectTokens, request: Message, token: str
) -> RelationCursor | None:
    """Returns the start of the page; None for the first page.

    Raises:
        InvalidRequest: the token is not one of this request.
    """
    if not token:
        return None
    values = json.loads(_page_content(tokens, request, token))
    event_time, memory_id, source, relation, target = values
    return RelationCursor(_read_time(event_time), UUID(memory_id), source, relation, target)


def entity_page_token(tokens: ProjectTokens, request: Message, cursor: EntityCursor | None) -> str:
    """Returns the token of the page that begins after `cursor`; empty for None."""
    if cursor is None:
        return ""
    content = _NUMBER.pack(cursor.skipped) + _texts([cursor.space, cursor.key])
    return _page_token(tokens, request, content)


def read_entity_page_token(
    tokens: ProjectTokens, request: Message, token: str
) -> EntityCursor | None:
    """Returns the start of the page; None for the first page.

    Raises:
        InvalidRequest: the token is not one of this request.
    """
    if not token:
        return None
    content = _page_content(tokens, request, token)
    (skipped,) = _NUMBER.unpack_from(content)
    space, key = json.loads(content[_NUMBER.size :])
    return EntityCursor(space, key, skipped)


def _read_time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def stream_cursor(tokens: ProjectTokens, cursor: StreamCursor) -> str:
    """Returns the cursor with which a stream of events is resumed."""
    content = _STREAM.pack(
        cursor.transaction_id,
        cursor.position,
        cursor.ordinal,
        cursor.version,
        cursor.memory_id.bytes,
    )
    return tokens.seal(TokenKind.STREAM, content)


def read_stream_cursor(tokens: ProjectTokens, token: str) -> StreamCursor:
    """Returns the position in the stream.

    Raises:
        InvalidRequest: the cursor is not one of this project.
    """
    not_one = FieldViolation("cursor", "not a cursor of this project")
    content = _opened(tokens, TokenKind.STREAM, token, not_one)
    transaction_id, position, ordinal, version, memory_id = _STREAM.unpack(content)
    return StreamCursor(transaction_id, position, ordinal, UUID(bytes=memory_id), version)


def consistency_token(tokens: ProjectTokens, position: int) -> str:
    """Returns the token of a write at `position`."""
    return tokens.seal(TokenKind.CONSISTENCY, _NUMBER.pack(position))


def read_consistency_token(tokens: ProjectTokens, token: str) -> int | None:
    """Returns the position of the write; None if there is no token.

    Raises:
        InvalidRequest: the token is not one of this project.
    """
    if not token:
        return None
    not_one = FieldViolation("consistency_token", "not a token of this project")
    position: int
    (position,) = _NUMBER.unpack(_opened(tokens, TokenKind.CONSISTENCY, token, not_one))
    return position


ResponseT = TypeVar("ResponseT", bound=Message)

# The tag and the length of an item in a repeated field.
_ITEM_OVERHEAD = 8


def fits(response: Message) -> bool:
    """Whether every client can receive the message."""
    return response.ByteSize() <= MAX_ANSWER_BYTES


def fitting_count(items: Iterable[Message], budget: int = MAX_ITEMS_BYTES) -> int:
    """Returns how many of the first items fit into `budget` bytes."""
    sizes = accumulate(item.ByteSize() + _ITEM_OVERHEAD for item in items)
    return sum(1 for _ in takewhile(lambda size: size <= budget, sizes))


async def fitting_page(
    page: Callable[[int], Awaitable[ResponseT]], page_size: int, items: str
) -> ResponseT:
    """Returns a page of at most `page_size` items, or of as many as fit.

    `page` returns a page of a size, whose items are in the field `items`. A page that is too large
    is read again with as many items as fit, so that its token is right. No single item is too
    large, because of the limits on stored data.
    """
    response = await page(page_size)
    while not fits(response) and page_size > 1:
        page_size = max(1, min(page_size - 1, fitting_count(getattr(response, items))))
        response = await page(page_size)
    return response
