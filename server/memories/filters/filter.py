"""Filters on memories, and the values that their fields are compared with.

Every condition is either a yes or a no. A memory that lacks a field is a no to each condition on
it, and so a yes to the negation of one. So is a memory whose metadata holds a value of another type
there; every other field has one known type, and a filter with a value of another is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import TypeAlias


class Column(StrEnum):
    """The fields of a memory that a filter can name, as it names them."""

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
    """The keys that lead to a value of the metadata, from object to object."""

    keys: tuple[str, ...]


class Comparison(StrEnum):
    """How two values of one type are ordered: strings by code point."""

    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"


Field: TypeAlias = Column | MetadataPath
JsonScalar: TypeAlias = str | int | float | bool
Value: TypeAlias = JsonScalar | datetime | date


@dataclass(frozen=True, slots=True)
class OneOf:
    """The field equals one of the values; one of the categories does.

    Of a time, a date among the values stands for the whole day in UTC.
    """

    field: Field
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """The field lies on that side of the value."""

    field: Field
    comparison: Comparison
    value: Value


@dataclass(frozen=True, slots=True)
class Contains:
    """A string contains the value as a part of it, a list as one of its items.

    Ignoring case means equal after Unicode's full case folding, and needs a string.
    """

    field: Field
    value: JsonScalar
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class Present:
    """The memory has the field; with `null_counts`, even if it is a null of the metadata."""

    field: Field
    null_counts: bool = False


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one of the filters is a yes."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of the filters is a yes."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The filter is a no."""

    filter: Filter


Filter: TypeAlias = "OneOf | Compared | Contains | Present | AllOf | AnyOf | Not"

NEVER = AnyOf(())


# RFC 3339, section 5.6: an offset is required, a lower-case t or z is allowed.
_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class WrongType(Exception):
    """A value is not of its field's type; the message says what it must be."""


def typed(field: Field, value: JsonScalar) -> Value:
    """The value as one of the field's type.

    A time becomes an instant in UTC, or a date, which stands for the whole day in UTC. A date stays
    one; an instant becomes its day in UTC. Metadata takes a value of any type as it is.

    Raises:
        WrongType: the field has a known type, and the value is not of it.
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
    """When the day begins in UTC."""
    return datetime.combine(day, time.min, UTC)


def next_instant(day: date) -> datetime:
    """When the day after begins in UTC; of the calendar's last day, its last instant."""
    if day == date.max:
        return datetime.max.replace(tzinfo=UTC)
    return first_instant(day + timedelta(days=1))
