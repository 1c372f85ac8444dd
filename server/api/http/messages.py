"""Converts JSON to messages of the contract, and reports every invalid field.

Unlike protobuf's own parser, this one does not stop at the first error. It uses the same mapping
(https://protobuf.dev/programming-guides/json/).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from server.core.errors import FieldViolation

_F = FieldDescriptor
_INTEGERS: Final = {
    _F.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    _F.CPPTYPE_UINT32: (0, 2**32 - 1),
    _F.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    _F.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_FLOATS: Final = frozenset({_F.CPPTYPE_DOUBLE, _F.CPPTYPE_FLOAT})
_FIELD_MASK: Final = "google.protobuf.FieldMask"
_WELL_KNOWN: Final[Mapping[str, str]] = {
    "google.protobuf.Struct": "must be an object",
    "google.protobuf.Timestamp": "must be a time in RFC 3339, such as 2026-01-31T12:00:00Z",
    "google.protobuf.Duration": "must be a number of seconds with an s, such as 1.5s",
    _FIELD_MASK: "must be field names separated by commas, such as text,metadata",
}


_UNDERSCORE: Final = re.compile("_([a-z])")


class _InvalidValue(Exception):
    """A value is invalid for its field; the message says which values are valid."""


def read_message(value: object, message: Message, path: str = "") -> list[FieldViolation]:
    """Fills `message` from a JSON object and returns the violations.

    Fields may have the names of the contract, or the same in camel case. Null means absent.
    """
    if problem := _WELL_KNOWN.get(message.DESCRIPTOR.full_name):
        return _well_known(value, message, path, problem)
    if not isinstance(value, Mapping):
        return [FieldViolation(path, "must be an object")]
    violations: list[FieldViolation] = []
    kind: Any = message.DESCRIPTOR
    fields = _fields(kind)
    for name, item in value.items():
        place = f"{path}.{name}" if path else str(name)
        field = fields.get(name)
        if field is None:
            violations.append(FieldViolation(place, "there is no such field"))
        elif item is not None:
            violations += _read_field(message, field, item, place)
    return violations


@cache
def _fields(kind: Descriptor) -> Mapping[str, FieldDescriptor]:
    named = {field.camelcase_name: field for field in kind.fields}
    return named | {field.name: field for field in kind.fields}


def _read_field(
    message: Message, field: FieldDescriptor, value: object, path: str
) -> list[FieldViolation]:
    if field.is_repeated:
        return _read_list(message, field, value, path)
    if field.message_type is not None:
        inner: Message = getattr(message, field.name)
        inner.SetInParent()
        return read_message(value, inner, path)
    try:
        setattr(message, field.name, _scalar(field, value))
    except _InvalidValue as error:
        return [FieldViolation(path, str(error))]
    return []


def _read_list(
    message: Message, field: FieldDescriptor, value: object, path: str
) -> list[FieldViolation]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        return [FieldViolation(path, "must be a list")]
    violations: list[FieldViolation] = []
    items: Any = getattr(message, field.name)
    for index, item in enumerate(value):
        place = f"{path}[{index}]"
        if field.message_type is not None:
            violations += read_message(item, items.add(), place)
            continue
        try:
            items.append(_scalar(field, item))
        except _InvalidValue as error:
            violations.append(FieldViolation(place, str(error)))
    return violations


def _well_known(value: object, message: Message, path: str, problem: str) -> list[FieldViolation]:
    if message.DESCRIPTOR.full_name == _FIELD_MASK:
        value = _camel_case(value)
    try:
        # Its type hints allow only objects, but well-known types are parsed from other values too.
        parse: Callable[[Any, Message], Message] = json_format.ParseDict
        parse(value, message)
    except (json_format.ParseError, AttributeError, TypeError, ValueError, RecursionError):
        return [FieldViolation(path, problem)]
    return []


def _camel_case(mask: object) -> object:
    """Returns a mask in camel case, which protobuf's parser expects.

    A mask may have the names of the contract, or the form `{"paths": [...]}`.
    """
    if isinstance(mask, Mapping) and isinstance(mask.get("paths"), list):
        mask = ",".join(map(str, mask["paths"]))
    if not isinstance(mask, str):
        return mask
    return _UNDERSCORE.sub(lambda found: found[1].upper(), mask)


def _scalar(field: FieldDescriptor, value: object) -> object:
    kind = field.cpp_type
    if field.type == _F.TYPE_STRING:
        return _text(value)
    if kind == _F.CPPTYPE_BOOL:
        if isinstance(value, bool):
            return value
        raise _InvalidValue("must be true or false")
    if kind in _INTEGERS:
        return _integer(value, *_INTEGERS[kind])
    if kind in _FLOATS:
        return _number(value)
    if field.enum_type is not None:
        return _enum(value, field.enum_type)
    raise _InvalidValue("cannot be given as JSON")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _InvalidValue("must be a string")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _InvalidValue("must be valid UTF-8") from None
    return value


def _integer(value: object, least: int, most: int) -> int:
    try:
        if isinstance(value, str) or (isinstance(value, float) and value.is_integer()):
            value = int(value)
    except ValueError:
        raise _InvalidValue("must be a whole number") from None
    if isinstance(value, bool) or not isinstance(value, int):
        raise _InvalidValue("must be a whole number")
    if not least <= value <= most:
        raise _InvalidValue(f"must be between {least} and {most}")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _InvalidValue("must be a number")
    try:
        return float(value)
    except OverflowError:
        raise _InvalidValue("must be a number") from None


def _enum(value: object, kind: EnumDescriptor) -> int:
    if isinstance(value, str) and value in kind.values_by_name:
        return kind.values_by_name[value].number
    if isinstance(value, int) and not isinstance(value, bool) and value in kind.values_by_number:
        return value
    names = ", ".join(each.name for each in kind.values)
    raise _InvalidValue(f"must be one of {names}")
