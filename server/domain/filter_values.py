"""Values of a client's filter, read as the type of the field that they are compared with."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from server.domain.filters import SEARCHABLE, Column, Field, JsonScalar, MetadataPath, Value

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
