"""Conversion of times, structs and ids between protobuf and Python."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

from google.protobuf.struct_pb2 import NULL_VALUE, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from server.core.clock import UNIX_EPOCH
from server.core.values import JsonObject, JsonValue

StructValue: TypeAlias = "bool | float | str | list[StructValue] | dict[str, StructValue] | None"


class StructError(Exception):
    """The value at `path`, relative to the struct, cannot be stored because of `problem`."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


def checked_struct(struct: Struct, max_depth: int) -> dict[str, StructValue]:
    """Returns a struct that can be stored, as a dictionary; whole numbers stay floats.

    The struct itself is the first level; each nested object and list adds a level.

    Raises:
        StructError: it is nested deeper than `max_depth`, or has a number that is not finite, a
            value without a kind, or a NUL character, which cannot be stored as JSON.
    """
    return _object(struct, "", max_depth)


def _object(struct: Struct, path: str, levels: int) -> dict[str, StructValue]:
    if levels < 1:
        raise StructError(path, "is nested too deeply")
    return {
        _text(key, path): _value(value, f"{path}.{key}", levels)
        for key, value in struct.fields.items()
    }


def _value(value: Value, path: str, levels: int) -> StructValue:
    match value.WhichOneof("kind"):
        case "null_value":
            return None
        case "bool_value":
            return value.bool_value
        case "number_value":
            return _number(value.number_value, path)
        case "string_value":
            return _text(value.string_value, path)
        case "list_value":
            return _list(value, path, levels - 1)
        case "struct_value":
            return _object(value.struct_value, path, levels - 1)
        case _:
            raise StructError(path, "has no value")


def _list(value: Value, path: str, levels: int) -> list[StructValue]:
    if levels < 1:
        raise StructError(path, "is nested too deeply")
    items = value.list_value.values
    return [_value(item, f"{path}[{index}]", levels) for index, item in enumerate(items)]


def _number(number: float, path: str) -> float:
    if not math.isfinite(number):
        raise StructError(path, "must be a finite number")
    return number


def _text(text: str, path: str) -> str:
    if "\0" in text:
        raise StructError(path, "must not contain NUL characters")
    return text


# Beyond this a double cannot distinguish neighbouring integers.
MAX_EXACT_INTEGER = 2**53


def to_timestamp(time: datetime) -> Timestamp:
    """Returns the instant as a protobuf timestamp; `time` is aware."""
    since = time - UNIX_EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1000)


def from_timestamp(timestamp: Timestamp) -> datetime:
    """Returns the instant of a valid timestamp, in UTC; fractions of a microsecond are cut off."""
    return timestamp.ToDatetime(UTC)


def from_struct(struct: Struct) -> dict[str, JsonValue]:
    """Returns a struct as a JSON object. Whole numbers become integers, as clients wrote them."""
    return {key: from_value(value) for key, value in struct.fields.items()}


def from_value(value: Value) -> JsonValue:
    """Returns a value as JSON; None if it has no kind."""
    match value.WhichOneof("kind"):
        case "number_value":
            return _from_number(value.number_value)
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return from_struct(value.struct_value)
        case "list_value":
            return [from_value(item) for item in value.list_value.values]
        case _:
            return None


def _from_number(number: float) -> int | float:
    whole = number.is_integer() and abs(number) <= MAX_EXACT_INTEGER
    return int(number) if whole else number


def to_struct(json_object: JsonObject) -> Struct:
    """Returns a JSON object as a struct."""
    return Struct(fields={key: _to_value(value) for key, value in json_object.items()})


def _to_value(value: JsonValue) -> Value:
    match value:
        case None:
            return Value(null_value=NULL_VALUE)
        case bool():
            return Value(bool_value=value)
        case int() | float():
            return Value(number_value=value)
        case str():
            return Value(string_value=value)
        case Mapping():
            return Value(struct_value=to_struct(value))
        case Sequence():
            result = Value()
            result.list_value.values.extend(_to_value(item) for item in value)
            return result
