"""Reads protobuf's wire format, field by field.

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

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
