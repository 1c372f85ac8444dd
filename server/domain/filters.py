"""Filters on memories: what a client's filter says, once it is read and found valid.

Every condition is either a yes or a no. A memory that lacks a field is a no to each condition on
it, and so a yes to the negation of one. So is a memory whose metadata holds a value of another type
there; every other field has one known type, and a filter with a value of another is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
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
