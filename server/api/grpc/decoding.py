"""Decodes and encodes messages, large ones in slices, and finds what makes a message unreadable.

The parser does not report which string is not UTF-8. So the wire format is walked with the
message's descriptor. https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from server.api.grpc.large_messages import (
    LARGE_BYTES,
    has_many_items,
    item_fields,
    outline,
)
from server.core.errors import FieldViolation, MalformedRequest

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


def decode_in_slices(raw: bytes, message: Message) -> None:
    """Decodes `raw` into an empty `message`, some top-level fields at a time.

    The result is the same as that of decoding it at once, because concatenated encodings merge.
    https://protobuf.dev/programming-guides/encoding/#last-one-wins

    Raises:
        DecodeError: the bytes do not encode such a message.
    """
    try:
        for begin, end in _slices(raw):
            message.MergeFromString(raw[begin:end])
    except WireError as error:
        raise DecodeError("the message is malformed or truncated") from error


def encode_in_slices(message: Message) -> bytes:
    """Encodes the message, each item of its top-level lists separately."""
    parts = [outline(message, with_blanks=False).SerializeToString()]
    for number, _, items in item_fields(message):
        tag = encoded_varint(number << 3 | 2)
        for item in items:
            raw = item.SerializeToString()
            parts += [tag, encoded_varint(len(raw)), raw]
    return b"".join(parts)


def _slices(raw: bytes) -> Iterator[tuple[int, int]]:
    """Yields the bounds of slices, which end between fields once they are large."""
    begin = end = 0
    for _, _, _, end in top_level_fields(raw):
        if end - begin >= LARGE_BYTES:
            yield begin, end
            begin = end
    if begin < end:
        yield begin, end


@dataclass(frozen=True, slots=True)
class Codec:
    """Reads the requests and writes the responses of `method`, which is `package.Service/Method`.

    A (de)serialiser of None means raw bytes. `request_type` is the type of the requests, if they
    arrive in protobuf's encoding.
    """

    method: str
    deserializer: Callable[[bytes], Any] | None = None
    serializer: Callable[[Any], bytes] | None = None
    request_type: Callable[[], Message] | None = None

    def decode(self, raw: bytes) -> Any:
        """Returns the request.

        Raises:
            MalformedRequest: the bytes are not such a message; names a string that is not UTF-8.
        """
        if self.deserializer is None:
            return raw
        try:
            return self.deserializer(raw)
        except DecodeError:
            raise MalformedRequest([_violation(self.method, raw)]) from None

    async def decode_large(self, raw: bytes) -> Any:
        """Like `decode`, but outside of the event loop if the request is large."""
        if self.deserializer is None or len(raw) < LARGE_BYTES:
            return self.decode(raw)
        if self.request_type is None:
            return await asyncio.to_thread(self.decode, raw)
        request = self.request_type()
        try:
            await asyncio.to_thread(decode_in_slices, raw, request)
        except DecodeError:
            raise MalformedRequest([_violation(self.method, raw)]) from None
        return request

    async def encode_large(self, message: Any) -> bytes:
        """Like `encode`, but outside of the event loop if the response has many items."""
        if not isinstance(message, Message) or not has_many_items(message):
            return self.encode(message)
        if self.request_type is None:
            return await asyncio.to_thread(self.encode, message)
        return await asyncio.to_thread(encode_in_slices, message)

    def encode(self, message: Any) -> bytes:
        """Returns the bytes of a response."""
        raw: bytes = message if self.serializer is None else self.serializer(message)
        return raw


def message_type_of(method: str) -> type[Message] | None:
    """Returns the request type of a method of the contract; None for any other method."""
    descriptor = _request_type(method)
    return None if descriptor is None else GetMessageClass(descriptor)


def _violation(method: str, raw: bytes) -> FieldViolation:
    descriptor = _request_type(method)
    field = first_invalid_string(raw, descriptor) if descriptor else None
    if field is None:
        return FieldViolation("", "the request is not a well-formed protobuf message")
    return FieldViolation(field, "must be valid UTF-8")


def _request_type(method: str) -> Descriptor | None:
    service, _, name = method.partition("/")
    try:
        found = descriptor_pool.Default().FindServiceByName(service).FindMethodByName(name)
    except KeyError:
        return None
    return found.input_type
