"""Values that rooms pass to each other: JSON, embeddings, pages of lists, addresses."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeAlias, TypeVar

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


Item = TypeVar("Item")
Cursor = TypeVar("Cursor")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item, Cursor]):
    """One page of a list, and the place after which the next page begins, if there is one."""

    items: Sequence[Item]
    next: Cursor | None


def page_of(
    found: Sequence[Item], size: int, cursor_of: Callable[[Item], Cursor]
) -> Page[Item, Cursor]:
    """Returns the page of the first `size` items; one more item shows that there is a next page.

    `cursor_of` returns the place of the last item.
    """
    items = found[:size]
    return Page(items, cursor_of(items[-1]) if len(found) > size else None)


@dataclass(frozen=True, slots=True)
class Neo4jAddress:
    """The address of a Neo4j, which may run elsewhere or as a child process, and its user."""

    uri: str
    user: str
    password: str = field(repr=False)


class CannotListen(OSError):
    """The port is taken, or the host is not an address of this machine."""

    def __init__(self, address: str, setting: str) -> None:
        """`setting` is the environment variable of the port."""
        super().__init__(f"cannot listen on {address}; set {setting} to a free port")
