"""Decodes requests and encodes responses, large ones in slices outside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from server.api.grpc.large_messages import LARGE_BYTES, has_many_items, item_fields, outline
from server.api.grpc.wire_format import (
    WireError,
    encoded_varint,
    first_invalid_string,
    top_level_fields,
)
from server.core.errors import FieldViolation, MalformedRequest


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
