"""`google.protobuf.Struct` as the JSON value that it stands for."""

from __future__ import annotations

import math
from typing import TypeAlias

from google.protobuf.struct_pb2 import Struct, Value

JsonValue: TypeAlias = "bool | float | str | list[JsonValue] | dict[str, JsonValue] | None"


class StructError(Exception):
    """The value at `path`, relative to the struct, cannot be kept: `problem` says why."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


def plain(struct: Struct, max_depth: int) -> dict[str, JsonValue]:
    """The struct as a dictionary; whole numbers stay floats.

    The struct itself is the first level, each object and each list in it is one more.

    Raises:
        StructError: it is nested deeper than `max_depth`, has a number that is not finite, a value
            of no kind, or a NUL character, none of which can be kept as JSON.
    """
    return _object(struct, "", max_depth)


def _object(struct: Struct, path: str, levels: int) -> dict[str, JsonValue]:
    if levels < 1:
        raise StructError(path, "is nested too deeply")
    return {
        _text(key, path): _value(value, f"{path}.{key}", levels)
        for key, value in struct.fields.items()
    }


def _value(value: Value, path: str, levels: int) -> JsonValue:
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


def _list(value: Value, path: str, levels: int) -> list[JsonValue]:
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
