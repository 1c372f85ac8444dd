"""The meaning of filters, with which PostgreSQL is compared, and by which fakes select memories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

from server.memories.filters.filter import (
    AllOf,
    AnyOf,
    Column,
    Compared,
    Comparison,
    Contains,
    Field,
    Filter,
    MetadataPath,
    Not,
    OneOf,
    Present,
)
from server.memories.memory import Memory
from server.memories.scope import SCOPE_FIELDS


class _Missing:
    """Represents the value of a field that a memory lacks."""


_MISSING: Final = _Missing()
# A type and a value, so that values of different types are never equal and values of one type are
# ordered.
_Typed: TypeAlias = tuple[str, Any]


def matches(condition: Filter, memory: Memory) -> bool:
    """Whether the memory matches."""
    match condition:
        case AllOf(filters):
            return all(matches(item, memory) for item in filters)
        case AnyOf(filters):
            return any(matches(item, memory) for item in filters)
        case Not(negated):
            return not matches(negated, memory)
        case _:
            return _holds(condition, memory)


def _holds(condition: OneOf | Compared | Contains | Present, memory: Memory) -> bool:
    match condition:
        case Present(field, null_counts):
            value = _value(field, memory)
            return value is not _MISSING and (null_counts or value is not None)
        case OneOf(field, values):
            wanted = {_typed(value) for value in values} - {None}
            return not wanted.isdisjoint(_comparable(field, memory))
        case Compared(field, comparison, value):
            return _compare(_typed(_value(field, memory)), comparison, _typed(value))
        case Contains(field, value, ignore_case):
            return _contains(_value(field, memory), value, ignore_case=ignore_case)


def _value(field: Field, memory: Memory) -> object:
    if isinstance(field, MetadataPath):
        return _follow(memory.metadata, field.keys)
    source = memory.scope if field in SCOPE_FIELDS else memory
    value: object = getattr(source, field)
    if value is None or (field is Column.CATEGORIES and not memory.categories):
        return _MISSING
    return str(value) if field is Column.ID else value


def _follow(value: object, keys: Sequence[str]) -> object:
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            return _MISSING
        value = value[key]
    return value


def _comparable(field: Field, memory: Memory) -> set[_Typed | None]:
    """Returns the values to compare: the field itself, each category, or the day of a time."""
    value = _value(field, memory)
    if field is Column.CATEGORIES:
        return {_typed(category) for category in memory.categories}
    if isinstance(value, datetime):
        return {_typed(value), _typed(value.astimezone(UTC).date())}
    found = _typed(value)
    return {found} if found else set()


def _typed(value: object) -> _Typed | None:
    """Returns the typed value; None for lists, objects, null and missing values, which equal
    nothing."""
    match value:
        case bool():
            return "boolean", value
        case int() | float():
            # By its JSON notation, as it is stored.
            return "number", Decimal(repr(value))
        case str():
            return "string", value
        case datetime():
            return "time", value
        case date():
            return "date", value
        case _:
            return None


def _compare(value: _Typed | None, comparison: Comparison, bound: _Typed | None) -> bool:
    if value is None or bound is None or value[0] != bound[0]:
        return False
    match comparison:
        case Comparison.GT:
            return value > bound
        case Comparison.GTE:
            return value >= bound
        case Comparison.LT:
            return value < bound
        case Comparison.LTE:
            return value <= bound


def _contains(value: object, part: object, *, ignore_case: bool) -> bool:
    if ignore_case:
        value, part = _folded(value), _folded(part)
    if isinstance(value, str):
        return isinstance(part, str) and part in value
    if isinstance(value, Sequence):
        return _typed(part) in {_typed(item) for item in value} - {None}
    return False


def _folded(value: object) -> object:
    if isinstance(value, str):
        return value.casefold()
    if isinstance(value, Sequence):
        return [_folded(item) if isinstance(item, str) else item for item in value]
    return value
