"""Bytes to messages and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError

from server.domain.errors import FieldViolation, MalformedRequest
from server.transport.utf8 import first_invalid_string


@dataclass(frozen=True, slots=True)
class Codec:
    """Reads the requests and writes the responses of `method`, which is `package.Service/Method`.

    None for a (de)serialiser means raw bytes.
    """

    method: str
    deserializer: Callable[[bytes], Any] | None = None
    serializer: Callable[[Any], bytes] | None = None

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

    def encode(self, message: Any) -> bytes:
        """The bytes of a response."""
        raw: bytes = message if self.serializer is None else self.serializer(message)
        return raw


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
