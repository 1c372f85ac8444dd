"""Finding the string that keeps a protobuf message from being read.

The parser says that some string is not UTF-8, not which. So the wire format is walked with the
message's descriptor: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor

_VARINT, _FIXED64, _BYTES, _GROUP_START, _GROUP_END, _FIXED32 = range(6)
_FIXED_SIZES = {_FIXED64: 8, _FIXED32: 4}
_SEVEN_BITS = 0x7F
_MAX_DEPTH = 100
_MAX_KEY_SHOWN = 64


class _WireError(Exception):
    """The bytes do not follow the wire format."""


def first_invalid_string(data: bytes, descriptor: Descriptor) -> str | None:
    """The path of the first string that is not UTF-8, such as `messages[0].content`.

    None where every string is, and where the wire format is broken before one is found. Takes time
    in proportion to the bytes, and nesting no deeper than the parser itself allows.
    """
    try:
        return _walk(memoryview(data), descriptor, depth=0)
    except _WireError:
        return None


def _walk(data: memoryview, descriptor: Descriptor, depth: int) -> str | None:
    if depth > _MAX_DEPTH:
        raise _WireError
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
    """The same for the entry of a map, which is a message of a key (1) and a value (2)."""
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
    # The parser takes the last key of an entry, and none for the empty one.
    keys = [_text(value) for number, value in _length_delimited(payload) if number == 1]
    key = (keys[-1] if keys else "") or ""
    return f'["{key[:_MAX_KEY_SHOWN]}"]'


def _text(payload: memoryview) -> str | None:
    try:
        return str(payload, "utf-8")
    except UnicodeDecodeError:
        return None


def _length_delimited(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The length-delimited fields at the top level of a message: number and payload."""
    position, open_groups = 0, 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            _, position = _varint(data, position)
        elif wire_type == _BYTES:
            length, start = _varint(data, position)
            position = start + length
            if position <= len(data) and not open_groups:
                yield number, data[start:position]
        elif wire_type in _FIXED_SIZES:
            position += _FIXED_SIZES[wire_type]
        elif wire_type == _GROUP_START:
            open_groups += 1
        elif wire_type == _GROUP_END and open_groups:
            open_groups -= 1
        else:
            raise _WireError
    if position > len(data) or open_groups:
        raise _WireError


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """A base-128 number of at most ten bytes, and the position after it."""
    value = 0
    for index, byte in enumerate(data[position : position + 10]):
        value |= (byte & _SEVEN_BITS) << (7 * index)
        if byte <= _SEVEN_BITS:
            return value, position + index + 1
    raise _WireError
