"""How large an answer may be, so that every client can receive it."""

from __future__ import annotations

from typing import Final

MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
"""The largest message that gRPC clients receive by default."""

RESERVED_BYTES: Final = 128 * 1024
"""What an answer needs beside its items: page tokens, and the operation that it may be part of."""

MAX_ITEMS_BYTES: Final = MAX_ANSWER_BYTES - RESERVED_BYTES
"""The most that the items of an answer may take."""


def utf8_bytes(text: str) -> int:
    """How many bytes a text takes in a message."""
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
