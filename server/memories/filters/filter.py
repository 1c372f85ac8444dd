"""Filters on memories, and the values that fields are compared with.

Every condition is either true or false. It is false for a memory that lacks the field, so its
negation is true. A metadata value of another type than the filter's counts as a lacking field. All
other fields have a known type, and a filter with a value of another type is rejected.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import TypeAlias


class Column(StrEnum):
    """The fields of a memory that a filter can use, by the names used in filters."""

    USER_ID = "user_id"
    AGENT_ID = "agent_id"
    APP_ID = "app_id"
    RUN_ID = "run_id"
    ID = "id"
    TEXT = "text"
    CATEGORIES = "categories"
    CREATE_TIME = "create_time"
    UPDATE_TIME = "update_time"
    EVENT_TIME = "event_time"
    EXPIRATION_DATE = "expiration_date"
    IMMUTABLE = "immutable"


TIMES = frozenset({Column.CREATE_TIME, Column.UPDATE_TIME, Column.EVENT_TIME})
STRINGS = frozenset(
    {Column.USER_ID, Column.AGENT_ID, Column.APP_ID, Column.RUN_ID, Column.ID, Column.TEXT}
)

ORDERED = STRINGS | TIMES | {Column.EXPIRATION_DATE}
SEARCHABLE = STRINGS | {Column.CATEGORIES}


@dataclass(frozen=True, slots=True)
class MetadataPath:
    """The path of keys to a value in the metadata, from object to object."""

    keys: tuple[str, ...]


class Comparison(StrEnum):
    """The order of two values of one type; strings are ordered by code point."""

    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"


Field: TypeAlias = Column | MetadataPath
JsonScalar: TypeAlias = str | int | float | bool
Value: TypeAlias = JsonScalar | datetime | date


@dataclass(frozen=True, slots=True)
class OneOf:
    """The field equals one of the values; for categories, at least one of them does.

    For a time, a date among the values means the whole day in UTC.
    """

    field: Field
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """The field is greater or less than the value, as `comparison` says."""

    field: Field
    comparison: Comparison
    value: Value


@dataclass(frozen=True, slots=True)
class Contains:
    """A string contains the value as a substring, or a list contains it as an item.

    Case is ignored by Unicode's full case folding, which needs a string value.
    """

    field: Field
    value: JsonScalar
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class Present:
    """The memory has the field; with `null_counts`, a null in the metadata counts too."""

    field: Field
    null_counts: bool = False


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one of the filters is true."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of the filters is true."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The filter is false."""

    filter: Filter


Filter: TypeAlias = "OneOf | Compared | Contains | Present | AllOf | AnyOf | Not"

NEVER = AnyOf(())


# RFC 3339, section 5.6: an offset is required, a lower-case t or z is allowed.
_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class WrongType(Exception):
    """A value does not have its field's type; the message says what it must be."""


def typed(field: Field, value: JsonScalar) -> Value:
    """Converts the value to the field's type.

    For a time field it becomes an instant in UTC, or a date, which means the whole day in UTC.
    For a date field, a date stays a date and an instant becomes its day in UTC. For metadata, a
    value of any type stays unchanged.

    Raises:
        WrongType: the field has a known type, and the value does not have it.
    """
    if isinstance(field, MetadataPath):
        return value
    if field is Column.IMMUTABLE:
        if isinstance(value, bool):
            return value
        raise WrongType("must be true or false")
    if field in SEARCHABLE:
        if isinstance(value, str):
            return value.lower() if field is Column.ID else value
        raise WrongType("must be a string")
    return _read_time(field, value)


def _read_time(column: Column, value: JsonScalar) -> datetime | date:
    wrong_type = WrongType("must be a time as in RFC 3339, or a date as YYYY-MM-DD")
    if not isinstance(value, str):
        raise wrong_type
    try:
        if _DATE.fullmatch(value):
            return date.fromisoformat(value)
        if not _TIME.fullmatch(value):
            raise wrong_type
        instant = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise wrong_type from error
    return instant.date() if column is Column.EXPIRATION_DATE else instant


def first_instant(day: date) -> datetime:
    """Returns the instant when the day begins in UTC."""
    return datetime.combine(day, time.min, UTC)


def next_instant(day: date) -> datetime:
    """Returns when the next day begins in UTC; for the calendar's last day, its last instant."""
    if day == date.max:
        return datetime.max.replace(tzinfo=UTC)
    return first_instant(day + timedelta(days=1))
