"""Bytes to messages and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError

from server.domain.errors import FieldViolation, MalformedRequest
from server.transport.utf8 import first_invalid_string


def decode(method: str, deserializer: Callable[[bytes], Any] | None, raw: bytes) -> Any:
    """The request of `method`, which is `package.Service/Method`.

    Raises:
        MalformedRequest: the bytes are not such a message; a string that is not UTF-8 is named.
    """
    if deserializer is None:
        return raw
    try:
        return deserializer(raw)
    except DecodeError:
        raise MalformedRequest([_violation(method, raw)]) from None


def encode(serializer: Callable[[Any], bytes] | None, message: Any) -> bytes:
    """The bytes of a response."""
    raw: bytes = message if serializer is None else serializer(message)
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
