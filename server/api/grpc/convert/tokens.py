"""Tokens of pages, streams and writes, and the size limit of pages.

Tokens contain positions of counters that all projects share. A client that could read them would
see how much other projects write, and one that could forge them could request arbitrary positions.
So a token is encrypted with AES-SIV (RFC 5297), which needs no nonce: equal values give equal
tokens, and the number of tokens of a key is not limited. It is bound to its kind, its project, and
the request that it continues, but contains none of them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass, is_dataclass
from enum import Enum
from itertools import accumulate, takewhile
from typing import Any, Final, TypeVar
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from google.protobuf.message import Message
from pydantic import TypeAdapter

from server.core.errors import FieldViolation, InvalidRequest
from server.core.values import MAX_ANSWER_BYTES, MAX_ITEMS_BYTES
from server.memories.memory import StreamCursor

KEY_BYTES: Final = 64
"""The length of the key: 256 bits to encrypt, and 256 to authenticate."""


class UnreadableToken(Exception):
    """The token was not made for this purpose, by this store."""


class TokenKind(Enum):
    """The kinds of tokens. If the content of a kind changes, its value must change too."""

    CONSISTENCY = b"consistency/1"
    STREAM = b"stream/1"
    PAGE = b"page/2"


@dataclass(frozen=True, slots=True)
class ProjectTokens:
    """Creates and reads the tokens of one project."""

    cipher: AESSIV
    project_id: str

    def seal(self, kind: TokenKind, content: bytes, request: bytes = b"") -> str:
        """Returns a token with `content`, which continues `request`."""
        sealed = self.cipher.encrypt(content, self._bound(kind, request))
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, kind: TokenKind, token: str, request: bytes = b"") -> bytes:
        """Returns the content of a token.

        Raises:
            UnreadableToken: the token was altered, forged, or made for another purpose.
        """
        try:
            sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            # The decoder ignores invalid characters, and bits after the last byte.
            if base64.urlsafe_b64encode(sealed).decode().rstrip("=") != token:
                raise UnreadableToken
            return self.cipher.decrypt(sealed, self._bound(kind, request))
        except (InvalidTag, ValueError) as error:
            raise UnreadableToken from error

    def _bound(self, kind: TokenKind, request: bytes) -> list[bytes]:
        return [kind.value, self.project_id.encode(), request]


class Tokens:
    """Provides the tokens of projects, with the key of the store, which all servers share."""

    def __init__(self, load_key: Callable[[], Awaitable[bytes]]) -> None:
        """`load_key` is called when a token is first needed, and again if it failed."""
        self._load_key = load_key
        self._cipher: AESSIV | None = None

    async def of_project(self, project_id: str) -> ProjectTokens:
        """Returns the tokens of a project.

        Must be called before a call does anything: without the key it cannot return a response.

        Raises:
            StoreUnavailable: the key is not known yet, and the store cannot be reached.
        """
        if self._cipher is None:
            self._cipher = AESSIV(await self._load_key())
        return ProjectTokens(self._cipher, project_id)


CursorT = TypeVar("CursorT")

_NUMBER: Final = struct.Struct(">q")
# Transaction, position, ordinal, version, memory.
_STREAM: Final = struct.Struct(">Qqiq16s")
PAGE_FIELDS = ("page_size", "page_token", "consistency_token")


def _fixed_part(request: Message) -> bytes:
    """Returns a digest of all parts of the request that must not change from page to page."""
    fixed_part = type(request)()
    fixed_part.CopyFrom(request)
    for field in PAGE_FIELDS:
        if field in fixed_part.DESCRIPTOR.fields_by_name:
            fixed_part.ClearField(field)
    digest = hashlib.sha256(fixed_part.DESCRIPTOR.full_name.encode() + b"\0")
    digest.update(fixed_part.SerializeToString(deterministic=True))
    return digest.digest()


def _page_token(tokens: ProjectTokens, request: Message, content: bytes) -> str:
    return tokens.seal(TokenKind.PAGE, content, _fixed_part(request))


def _page_content(tokens: ProjectTokens, request: Message, token: str) -> bytes:
    violation = FieldViolation("page_token", "not a token of this request; start at the first page")
    return _content(tokens, TokenKind.PAGE, token, violation, _fixed_part(request))


def _content(
    tokens: ProjectTokens,
    kind: TokenKind,
    token: str,
    violation: FieldViolation,
    fixed_part: bytes = b"",
) -> bytes:
    """Returns the content of the token.

    Raises:
        InvalidRequest: with this violation, because the token cannot be read.
    """
    try:
        return tokens.open(kind, token, fixed_part)
    except UnreadableToken as error:
        raise InvalidRequest([violation]) from error


def page_token(tokens: ProjectTokens, request: Message, cursor: object | None) -> str:
    """Returns the token of the page that begins after `cursor`; empty for None."""
    if cursor is None:
        return ""
    content = json.dumps(cursor, separators=(",", ":"), ensure_ascii=False, default=_plain)
    return _page_token(tokens, request, content.encode())


def read_page_token(
    tokens: ProjectTokens, request: Message, token: str, cursors: TypeAdapter[CursorT]
) -> CursorT | None:
    """Returns the cursor after which the page begins; None for the first page.

    Raises:
        InvalidRequest: the token is not one of this request.
    """
    if not token:
        return None
    return cursors.validate_json(_page_content(tokens, request, token))


def _plain(value: Any) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)


def number_page_token(tokens: ProjectTokens, request: Message, number: int | None) -> str:
    """Returns the token of the page that begins after `number`; empty for None.

    Its length does not depend on the number, which may be a position that all projects share.
    """
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
    violation = FieldViolation("cursor", "not a cursor of this project")
    content = _content(tokens, TokenKind.STREAM, token, violation)
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
    violation = FieldViolation("consistency_token", "not a token of this project")
    position: int
    (position,) = _NUMBER.unpack(_content(tokens, TokenKind.CONSISTENCY, token, violation))
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
