"""Values of a client's filter, read as the type of the field that they are compared with."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from server.domain.filters import STRINGS, Column, Field, JsonScalar, MetadataPath, Value

# RFC 3339, section 5.6: an offset is required, a lower-case t or z is allowed.
_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def typed(field: Field, value: JsonScalar) -> Value | None:
    """The value as one of the field's type; None if it is of another type.

    Of a time it is an instant in UTC, or a date, which stands for the whole day in UTC. Of a date
    it is a date; an instant becomes its day in UTC.

    Raises:
        ValueError: a string is neither a time nor a date, where the field is one.
    """
    if isinstance(field, MetadataPath):
        return value
    if field is Column.IMMUTABLE:
        return value if isinstance(value, bool) else None
    return _from_text(field, value) if isinstance(value, str) else None


def _from_text(column: Column, text: str) -> Value:
    if column is Column.ID:
        return text.lower()
    if column in STRINGS or column is Column.CATEGORIES:
        return text
    instant = _read_time(text)
    if column is Column.EXPIRATION_DATE and isinstance(instant, datetime):
        return instant.date()
    return instant


def _read_time(text: str) -> datetime | date:
    if _DATE.fullmatch(text):
        return date.fromisoformat(text)
    if not _TIME.fullmatch(text):
        raise ValueError(text)
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(text) from error


def first_instant(day: date) -> datetime:
    """When the day begins in UTC."""
    return datetime.combine(day, time.min, UTC)


def next_instant(day: date) -> datetime:
    """When the day after begins in UTC; of the calendar's last day, its last instant."""
    if day == date.max:
        return datetime.max.replace(tzinfo=UTC)
    return first_instant(day + timedelta(days=1))
