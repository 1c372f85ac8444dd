"""Bytes to messages and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from server.domain.errors import FieldViolation, MalformedRequest
from server.transport.large_messages import (
    LARGE_BYTES,
    beside_the_loop,
    decode_in_slices,
    encode_in_slices,
    has_many_items,
)
from server.transport.utf8 import first_invalid_string


@dataclass(frozen=True, slots=True)
class Codec:
    """Reads the requests and writes the responses of `method`, which is `package.Service/Method`.

    None for a (de)serialiser means raw bytes. `request_type` is that of the requests, if the method
    is one of the contract.
    """

    method: str
    deserializer: Callable[[bytes], Any] | None = None
    serializer: Callable[[Any], bytes] | None = None
    request_type: Callable[[], Message] | None = None

    def decode(self, raw: bytes) -> Any:
        """The request.

        Raises:
            MalformedRequest: the bytes are no such message; a string that is not UTF-8 is named.
        """
        if self.deserializer is None:
            return raw
        try:
            return self.deserializer(raw)
        except DecodeError:
            raise MalformedRequest([_violation(self.method, raw)]) from None

    async def decode_large(self, raw: bytes) -> Any:
        """The request, read beside the event loop if it is large; errors are those of `decode`."""
        if self.request_type is None or len(raw) < LARGE_BYTES:
            return self.decode(raw)
        request = self.request_type()
        try:
            await beside_the_loop(decode_in_slices, raw, request)
        except DecodeError:
            raise MalformedRequest([_violation(self.method, raw)]) from None
        return request

    async def encode_large(self, message: Any) -> bytes:
        """The bytes of a response, made beside the event loop if it has many items."""
        if self.request_type is None or message is None or not has_many_items(message):
            return self.encode(message)
        return await beside_the_loop(encode_in_slices, message)

    def encode(self, message: Any) -> bytes:
        """The bytes of a response."""
        raw: bytes = message if self.serializer is None else self.serializer(message)
        return raw


def message_type_of(method: str) -> Callable[[], Message] | None:
    """Makes the requests of a method of the contract; None for methods of other kinds."""
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
