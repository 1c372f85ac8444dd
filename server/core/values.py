"""JSON values and embeddings, and how large a response with them can be."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

JsonValue = None | bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"]
"""A JSON value, as Python's json module reads it."""

JsonObject = Mapping[str, JsonValue]
"""A JSON object."""

Vector: TypeAlias = "array[float]"
"""An embedding: single-precision floats (`array("f", ...)`), L2-normalised."""

MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
"""The largest message that gRPC clients accept by default, in bytes."""

RESERVED_BYTES: Final = 128 * 1024
"""Bytes that a response needs in addition to its items: page tokens, an enclosing operation."""

MAX_ITEMS_BYTES: Final = MAX_ANSWER_BYTES - RESERVED_BYTES
"""The maximum size of the items of a response, in bytes."""


def utf8_bytes(text: str) -> int:
    """Returns the size of a text in a message, in bytes."""
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
