"""Bounds that are checked before the field rules, because the cost of those grows with the request.

Half a million empty messages would take the field rules seconds and gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterator

from buf.validate import validate_pb2
from google.protobuf.descriptor import FieldDescriptor
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
    for field, value in request.ListFields():
        if isinstance(value, Struct):
            if value.ByteSize() > MAX_STRUCT_BYTES:
                yield FieldViolation(field.name, "is too large")
        elif field.is_repeated:
            yield from _list(field, value)
        elif isinstance(value, Message):
            yield from _prefixed(field.name, value)


def _list(field: FieldDescriptor, items: list[object]) -> Iterator[FieldViolation]:
    limit = _max_items(field)
    if len(items) > limit:
        yield FieldViolation(field.name, f"must have at most {limit} items")
        return
    if not _has_bounds(field):
        return
    for index, item in enumerate(items):
        if isinstance(item, Message):
            yield from _prefixed(f"{field.name}[{index}]", item)


def _prefixed(path: str, message: Message) -> Iterator[FieldViolation]:
    for violation in oversized(message):
        yield FieldViolation(f"{path}.{violation.field}", violation.description)


def _max_items(field: FieldDescriptor) -> int:
    rules = field.GetOptions().Extensions[validate_pb2.field].repeated
    return rules.max_items if rules.HasField("max_items") else MAX_ITEMS


def _has_bounds(field: FieldDescriptor) -> bool:
    """Whether the messages of a list can hold anything large but strings."""
    inner = field.message_type
    return inner is not None and any(f.is_repeated or f.message_type for f in inner.fields)
