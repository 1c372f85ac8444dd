"""Parses a client's filter: JSON with AND, OR, NOT, fields and operators.

The keys of an object, and the operators of a field, are ANDed. `NOT` takes one object, or a list of
objects none of which may match.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime

from server.core.errors import FieldViolation, InvalidRequest
from server.core.values import JsonObject, JsonValue
from server.memories.filters.filter import (
    NEVER,
    ORDERED,
    SEARCHABLE,
    TIMES,
    AllOf,
    AnyOf,
    Column,
    Compared,
    Comparison,
    Contains,
    Field,
    Filter,
    JsonScalar,
    MetadataPath,
    Not,
    OneOf,
    Present,
    Value,
    WrongType,
    first_instant,
    next_instant,
    typed,
)

MAX_DEPTH = 16
MAX_NODES = 256
MAX_LISTED = 1000
# Each of these reads every text that the rest of the filter leaves, so their number is bounded.
MAX_CONTAINS = 16
# Metadata is not nested more deeply, so a longer path cannot match.
MAX_PATH_KEYS = 8
# More than fit into an error response.
MAX_VIOLATIONS = 1000

_ROOT = "filters"
_ANYTHING = "*"
_METADATA = "metadata."
_NO_NUL = "must not contain NUL characters"
_FIELDS = ", ".join([*Column, f"metadata.<path> of 1 to {MAX_PATH_KEYS} keys"])


def parse_filter(value: JsonObject) -> Filter:
    """Parses a filter from its JSON object, the field `filters` of a request.

    Raises:
        InvalidRequest: the filter is invalid; lists every violation. A filter may be MAX_DEPTH
            objects deep and have MAX_NODES operators, MAX_CONTAINS of them `contains` and
            `icontains`, and MAX_LISTED values in an `in`. If it has too many operators, that is the
            only violation listed.
    """
    return _Parser().parse(value)


class _TooLarge(Exception):
    """The filter has too many operators."""


class _Parser:
    """Parses one filter and collects its violations."""

    def __init__(self) -> None:
        self._violations: list[FieldViolation] = []
        self._nodes = 0
        self._contained = 0
        self._operators: Mapping[str, Callable[[Field, JsonValue, str], Filter]] = {
            "eq": self._equal,
            "ne": lambda field, value, path: Not(self._equal(field, value, path)),
            "in": self._one_of,
            "contains": self._contains,
            "icontains": lambda field, value, path: self._contains(
                field, value, path, ignore_case=True
            ),
            "exists": self._exists,
        }

    def parse(self, value: JsonObject) -> Filter:
        try:
            result = self._object(value, _ROOT, depth=1)
        except _TooLarge:
            violation = FieldViolation(_ROOT, f"must have at most {MAX_NODES} operators")
            raise InvalidRequest([violation]) from None
        if self._violations:
            raise InvalidRequest(self._violations)
        return result

    def _refuse(self, path: str, problem: str) -> Filter:
        if len(self._violations) < MAX_VIOLATIONS:
            self._violations.append(FieldViolation(path, problem))
        return NEVER

    def _count(self) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _TooLarge

    def _object(self, value: JsonValue, path: str, depth: int) -> Filter:
        if depth > MAX_DEPTH:
            return self._refuse(path, f"must be at most {MAX_DEPTH} objects deep")
        if not isinstance(value, Mapping):
            return self._refuse(path, "must be an object")
        if not value:
            return self._refuse(path, "must not be empty")
        return _all_of([self._entry(key, item, path, depth) for key, item in value.items()])

    def _entry(self, key: str, value: JsonValue, path: str, depth: int) -> Filter:
        path = f"{path}.{key}"
        if "\0" in key:
            return self._refuse(path, _NO_NUL)
        match key:
            case "AND":
                return AllOf(self._list(value, path, depth))
            case "OR":
                return AnyOf(self._list(value, path, depth))
            case "NOT":
                one = isinstance(value, Mapping)
                return Not(AnyOf(self._list([value] if one else value, path, depth, one=one)))
        field = _field(key)
        if field is None:
            return self._refuse(path, f"is not a field; fields are {_FIELDS}")
        return self._condition(field, value, path)

    def _list(
        self, value: JsonValue, path: str, depth: int, *, one: bool = False
    ) -> tuple[Filter, ...]:
        self._count()
        if isinstance(value, str) or not isinstance(value, Sequence):
            return (self._refuse(path, "must be a list of objects"),)
        if not value:
            return (self._refuse(path, "must not be empty"),)
        paths = [path] if one else [f"{path}[{index}]" for index in range(len(value))]
        return tuple(
            self._object(item, place, depth + 1) for item, place in zip(value, paths, strict=True)
        )

    def _condition(self, field: Field, value: JsonValue, path: str) -> Filter:
        if isinstance(value, Mapping):
            if not value:
                return self._refuse(path, "must not be empty")
            return _all_of([self._operator(field, *item, path) for item in value.items()])
        self._count()
        return Present(field) if value == _ANYTHING else self._equal(field, value, path)

    def _operator(self, field: Field, name: str, value: JsonValue, path: str) -> Filter:
        self._count()
        path = f"{path}.{name}"
        if name in self._operators:
            return self._operators[name](field, value, path)
        if name in list(Comparison):
            return self._compared(field, Comparison(name), value, path)
        known = ", ".join([*self._operators, *Comparison])
        return self._refuse(path, f"is not an operator; operators are {known}")

    def _value(self, field: Field, value: JsonValue, path: str) -> Value | None:
        """Returns the value converted to the field's type, or None if it was rejected."""
        scalar = self._scalar(value, path)
        if scalar is None:
            return None
        try:
            return typed(field, scalar)
        except WrongType as error:
            self._refuse(path, str(error))
            return None

    def _scalar(self, value: JsonValue, path: str) -> JsonScalar | None:
        if isinstance(value, float) and not math.isfinite(value):
            self._refuse(path, "must be a finite number")
            return None
        if not isinstance(value, str | int | float | bool):
            self._refuse(path, "must be a string, a number or a boolean")
            return None
        if isinstance(value, str) and "\0" in value:
            # PostgreSQL cannot process a NUL, and a value without it would be a different value.
            self._refuse(path, _NO_NUL)
            return None
        return value

    def _equal(self, field: Field, value: JsonValue, path: str) -> Filter:
        wanted = self._value(field, value, path)
        return NEVER if wanted is None else OneOf(field, (wanted,))

    def _one_of(self, field: Field, value: JsonValue, path: str) -> Filter:
        if isinstance(value, str) or not isinstance(value, Sequence):
            return self._refuse(path, "must be a list of values")
        if not 1 <= len(value) <= MAX_LISTED:
            return self._refuse(path, f"must have 1 to {MAX_LISTED} values")
        wanted = [self._value(field, item, f"{path}[{i}]") for i, item in enumerate(value)]
        return OneOf(field, tuple(item for item in wanted if item is not None))

    def _compared(
        self, field: Field, comparison: Comparison, value: JsonValue, path: str
    ) -> Filter:
        if isinstance(field, Column) and field not in ORDERED:
            return self._refuse(path, f"does not apply to {field}, which has no order")
        bound = self._value(field, value, path)
        if bound is None or isinstance(bound, bool):
            return NEVER
        if field in TIMES:
            return _compared_time(field, comparison, bound)
        return Compared(field, comparison, bound)

    def _contains(
        self, field: Field, value: JsonValue, path: str, *, ignore_case: bool = False
    ) -> Filter:
        if isinstance(field, Column) and field not in SEARCHABLE:
            return self._refuse(path, f"does not apply to {field}, which is not text")
        self._contained += 1
        if self._contained > MAX_CONTAINS:
            return self._refuse(
                path, f"is too many: a filter has at most {MAX_CONTAINS} contains and icontains"
            )
        part = self._scalar(value, path)
        if part == "":
            # Every text contains it.
            return self._refuse(path, "must not be empty")
        if isinstance(part, str):
            return Contains(field, part, ignore_case)
        if part is not None and isinstance(field, Column):
            return self._refuse(path, "must be a string")
        return NEVER if part is None or ignore_case else Contains(field, part)

    def _exists(self, field: Field, value: JsonValue, path: str) -> Filter:
        if not isinstance(value, bool):
            return self._refuse(path, "must be true or false")
        present = Present(field, null_counts=True)
        return present if value else Not(present)


def _field(key: str) -> Field | None:
    if key in list(Column):
        return Column(key)
    if not key.startswith(_METADATA):
        return None
    keys = key.removeprefix(_METADATA).split(".")
    return MetadataPath(tuple(keys)) if all(keys) and len(keys) <= MAX_PATH_KEYS else None


def _all_of(filters: Sequence[Filter]) -> Filter:
    return filters[0] if len(filters) == 1 else AllOf(tuple(filters))


def _compared_time(field: Field, comparison: Comparison, bound: Value) -> Filter:
    """A date means the whole day: "before" is before its start, "after" is after its end."""
    if isinstance(bound, datetime) or not isinstance(bound, date):
        return Compared(field, comparison, bound)
    match comparison:
        case Comparison.GT:
            return Compared(field, Comparison.GTE, next_instant(bound))
        case Comparison.LTE:
            return Compared(field, Comparison.LT, next_instant(bound))
        case _:
            return Compared(field, comparison, first_instant(bound))
