"""Walks protobuf's wire format: finds the bounds of fields, and strings that are not UTF-8.

protobuf's parser does not report which string is not UTF-8, so the message is walked with its
descriptor.
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor

_MAX_DEPTH = 100
_MAX_KEY_SHOWN = 64

VARINT, FIXED64, BYTES, GROUP_START, GROUP_END, FIXED32 = range(6)
_FIXED_SIZES: Final = {FIXED64: 8, FIXED32: 4}
_SEVEN_BITS: Final = 0x7F
_MORE_BYTES_FOLLOW: Final = 0x80
_LONGEST_VARINT: Final = 10


class WireError(Exception):
    """The bytes do not follow the wire format."""


def top_level_fields(data: bytes | memoryview) -> Iterator[tuple[int, int, int, int]]:
    """Yields the number, the wire type, and the begin and end of the payload of each field.

    Fields in groups are skipped; a group is yielded as its end.

    Raises:
        WireError: the bytes are malformed; the fields before the fault are yielded first.
    """
    position, open_groups = 0, 0
    while position < len(data):
        tag, begin = _varint(data, position)
        wire_type = tag & 7
        if wire_type == VARINT:
            _, position = _varint(data, begin)
        elif wire_type == BYTES:
            length, begin = _varint(data, begin)
            position = begin + length
        elif wire_type in _FIXED_SIZES:
            position = begin + _FIXED_SIZES[wire_type]
        elif wire_type == GROUP_START:
            open_groups += 1
            position = begin
        elif wire_type == GROUP_END and open_groups:
            open_groups -= 1
            position = begin
        else:
            raise WireError
        if position > len(data):
            raise WireError
        if not open_groups:
            yield tag >> 3, wire_type, begin, position
    if open_groups:
        raise WireError


def _varint(data: bytes | memoryview, position: int) -> tuple[int, int]:
    """Reads a base-128 number of at most ten bytes; returns it and the position after it."""
    value = 0
    for index, byte in enumerate(data[position : position + _LONGEST_VARINT]):
        value |= (byte & _SEVEN_BITS) << (7 * index)
        if byte <= _SEVEN_BITS:
            return value, position + index + 1
    raise WireError


def encoded_varint(value: int) -> bytes:
    """Returns a base-128 number."""
    encoded = bytearray()
    while value > _SEVEN_BITS:
        encoded.append(value & _SEVEN_BITS | _MORE_BYTES_FOLLOW)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def first_invalid_string(data: bytes, descriptor: Descriptor) -> str | None:
    """Returns the path of the first string that is not UTF-8, such as `messages[0].content`.

    None if all strings are valid, or if the wire format is broken before an invalid one is found.
    The time is linear in the bytes; nesting goes no deeper than the parser itself allows.
    """
    try:
        return _walk(memoryview(data), descriptor, depth=0)
    except WireError:
        return None


def _walk(data: memoryview, descriptor: Descriptor, depth: int) -> str | None:
    if depth > _MAX_DEPTH:
        raise WireError
    seen: Counter[int] = Counter()
    for number, payload in _length_delimited(data):
        field = descriptor.fields_by_number.get(number)
        if field is None:
            continue
        name = f"{field.name}[{seen[number]}]" if field.is_repeated else field.name
        seen[number] += 1
        if path := _invalid_in(field, name, payload, depth):
            return path
    return None


def _invalid_in(field: FieldDescriptor, name: str, payload: memoryview, depth: int) -> str | None:
    if field.type == FieldDescriptor.TYPE_STRING:
        return None if _text(payload) is not None else name
    if field.type != FieldDescriptor.TYPE_MESSAGE or field.message_type is None:
        return None
    if field.message_type.GetOptions().map_entry:
        return _invalid_in_entry(field, payload, depth)
    inner = _walk(payload, field.message_type, depth + 1)
    return f"{name}.{inner}" if inner else None


def _invalid_in_entry(field: FieldDescriptor, payload: memoryview, depth: int) -> str | None:
    """Does the same for a map entry, which is a message with a key (1) and a value (2)."""
    entry = field.message_type
    assert entry is not None
    inner = _walk(payload, entry, depth + 1)
    if inner is None:
        return None
    if inner == "key":
        return field.name
    return f"{field.name}{_subscript(payload, entry)}{inner.removeprefix('value')}"


def _subscript(payload: memoryview, entry: Descriptor) -> str:
    if entry.fields_by_name["key"].type != FieldDescriptor.TYPE_STRING:
        return "[]"
    # The parser uses the last key of an entry, and the empty key if there is none.
    keys = [_text(value) for number, value in _length_delimited(payload) if number == 1]
    key = (keys[-1] if keys else "") or ""
    return f'["{key[:_MAX_KEY_SHOWN]}"]'


def _text(payload: memoryview) -> str | None:
    try:
        return str(payload, "utf-8")
    except UnicodeDecodeError:
        return None


def _length_delimited(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yields the length-delimited fields at the top level of a message: number and payload."""
    for number, wire_type, begin, end in top_level_fields(data):
        if wire_type == BYTES:
            yield number, data[begin:end]
