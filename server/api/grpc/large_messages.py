"""Takes large messages apart, so that a thread can process them in short steps.

The interpreter switches from Python code in a thread to the event loop every few milliseconds, but
protobuf and protovalidate block it while they process a message. So they get one part at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

LARGE_BYTES: Final = 8 * 1024
"""From this size on, reading and checking a request can block the loop for too long: so few bytes
can hold a list of hundreds of values in a Struct."""

LARGE_ITEMS: Final = 20
"""Responses with this many items are encoded item by item."""

_STRUCT: Final = Struct.DESCRIPTOR.full_name


def has_many_items(message: Message) -> bool:
    """Whether it is worth encoding the message item by item."""
    return any(len(items) >= LARGE_ITEMS for _, _, items in item_fields(message))


def item_fields(message: Message) -> Iterator[tuple[int, str, Any]]:
    """Yields number, name and items of the top-level fields that are lists of messages."""
    for name, number in _item_fields(message.DESCRIPTOR).items():
        if items := getattr(message, name):
            yield number, name, items


def outline(message: Message, *, with_blanks: bool = True) -> Message:
    """Returns the message with blank items instead of its items, or without items."""
    lists = _item_fields(message.DESCRIPTOR)
    outer = type(message)()
    for field, value in message.ListFields():
        if field.name not in lists:
            _set(outer, field, value)
        elif with_blanks:
            for _ in value:
                getattr(outer, field.name).add()
    return outer


def without_structs(message: Message) -> Message:
    """Returns the message with all Structs emptied.

    No field rule applies to the values in a Struct, but checking the rules takes time for each.
    """
    if not _holds_structs(message.DESCRIPTOR):
        return message
    bare = type(message)()
    for field, value in message.ListFields():
        if field.message_type is None:
            _set(bare, field, value)
        elif field.is_repeated:
            getattr(bare, field.name).extend(map(without_structs, value))
        elif isinstance(value, Struct):
            getattr(bare, field.name).SetInParent()
        else:
            getattr(bare, field.name).CopyFrom(without_structs(value))
    return bare


def _set(message: Message, field: FieldDescriptor, value: Any) -> None:
    if field.is_repeated:
        getattr(message, field.name).extend(value)
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(value)
    else:
        setattr(message, field.name, value)


@cache
def _item_fields(kind: Descriptor) -> Mapping[str, int]:
    """Returns the numbers of the fields that are lists of messages, by name."""
    return {
        field.name: field.number
        for field in kind.fields
        if field.is_repeated
        and field.message_type is not None
        and not field.message_type.GetOptions().map_entry
    }


@cache
def _holds_structs(kind: Descriptor) -> bool:
    return any(
        field.message_type.full_name == _STRUCT or _holds_structs(field.message_type)
        for field in kind.fields
        if field.message_type is not None and field.message_type is not kind
    )
