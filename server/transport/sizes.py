"""Bounds that are checked before the field rules, because the cost of those grows with the request.

Half a million empty messages would take the field rules seconds and gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from server.domain.errors import FieldViolation

# A list of one-digit numbers takes 5.5 times as many bytes in a Struct as in JSON, nothing takes
# more: so a Struct of this size is more than 64 KiB of JSON.
MAX_STRUCT_BYTES = 6 * 64 * 1024
# For lists to which the contract gives no bound of their own.
MAX_ITEMS = 1000


def oversized(request: Message) -> Iterator[FieldViolation]:
    """The fields that are far too large; what is inside of those is not looked at."""
    for field in _unbounded_fields(request.DESCRIPTOR):
        if field.is_list:
            yield from _list(field, getattr(request, field.name))
        elif request.HasField(field.name):
            yield from _message(field.name, getattr(request, field.name))


@dataclass(frozen=True, slots=True)
class _Field:
    """A field that can hold more than a string can."""

    name: str
    is_list: bool
    max_items: int
    has_unbounded_items: bool


@cache
def _unbounded_fields(kind: Descriptor) -> tuple[_Field, ...]:
    return tuple(
        _Field(field.name, field.is_repeated, _max_items(field), _has_unbounded_fields(field))
        for field in kind.fields
        if field.is_repeated or field.message_type is not None
    )


def _max_items(field: FieldDescriptor) -> int:
    rules = field.GetOptions().Extensions[validate_pb2.field].repeated
    return rules.max_items if rules.HasField("max_items") else MAX_ITEMS


def _has_unbounded_fields(field: FieldDescriptor) -> bool:
    inner = field.message_type
    return inner is not None and any(f.is_repeated or f.message_type for f in inner.fields)


def _message(path: str, message: Message) -> Iterator[FieldViolation]:
    if not isinstance(message, Struct):
        yield from _prefixed(path, message)
    elif message.ByteSize() > MAX_STRUCT_BYTES:
        yield FieldViolation(path, "is too large")


def _list(field: _Field, items: list[object]) -> Iterator[FieldViolation]:
    if len(items) > field.max_items:
        yield FieldViolation(field.name, f"must have at most {field.max_items} items")
    elif field.has_unbounded_items:
        for index, item in enumerate(items):
            if isinstance(item, Message):
                yield from _prefixed(f"{field.name}[{index}]", item)


def _prefixed(path: str, message: Message) -> Iterator[FieldViolation]:
    for violation in oversized(message):
        yield FieldViolation(f"{path}.{violation.field}", violation.description)
