"""Spans of time, and how close an event is to a span.

Days, weeks and years are in UTC, and weeks begin on Monday.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

DAY: Final = timedelta(days=1)

_SHORTEST_MARGIN: Final = DAY
_LONGEST_MARGIN: Final = timedelta(days=31)

_MONTHS_A_SEASON: Final = 3


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """From `start` up to but excluding `end`; both are aware, and `start` is not after `end`."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise ValueError("a span cannot end before it starts")

    def closeness(self, moment: datetime) -> float:
        """Returns 1 within the span, falling to 0 at a distance as long as the span (1 to 31 days).

        People mention events some time after they happened, and seldom remember dates exactly.
        """
        distance = max(self.start - moment, moment - self.end, timedelta())
        margin = min(max(self.end - self.start, _SHORTEST_MARGIN), _LONGEST_MARGIN)
        return max(0.0, 1.0 - distance / margin)


class Season(StrEnum):
    """A season of the northern hemisphere, of whole months; winter begins in December."""

    SPRING = "spring"
    SUMMER = "summer"
    AUTUMN = "autumn"
    WINTER = "winter"


_FIRST_MONTHS: Final = {Season.SPRING: 3, Season.SUMMER: 6, Season.AUTUMN: 9, Season.WINTER: 12}


def closeness(moment: datetime, spans: Collection[TimeSpan]) -> float:
    """Returns the closeness of a moment to the nearest span, from 0 to 1; 0 without spans."""
    # This is called for every memory, and most questions have no times.
    return max(span.closeness(moment) for span in spans) if spans else 0.0


def days(first: date, count: int = 1) -> TimeSpan:
    """Returns `count` days from `first` on."""
    start = datetime.combine(first, time(), UTC)
    return TimeSpan(start, start + count * DAY)


def week(around: date) -> TimeSpan:
    """Returns the week of a day."""
    return days(around - around.weekday() * DAY, 7)


def weekend(around: date) -> TimeSpan:
    """Returns the Saturday and Sunday of a day's week."""
    return days(around + (5 - around.weekday()) * DAY, 2)


def month(year: int, number: int, count: int = 1) -> TimeSpan:
    """Returns `count` months from this month on. Numbers outside 1 to 12 are in other years."""
    return TimeSpan(_first_of_month(year, number), _first_of_month(year, number + count))


def season(year: int, name: Season) -> TimeSpan:
    """Returns the season that begins in a year."""
    return month(year, _FIRST_MONTHS[name], _MONTHS_A_SEASON)


def years(first: int, count: int = 1) -> TimeSpan:
    """Returns `count` years from `first` on."""
    return month(first, 1, 12 * count)


def third(span: TimeSpan, number: int) -> TimeSpan:
    """Returns a third of a span, by its number 0, 1 or 2."""
    part = (span.end - span.start) / 3
    return TimeSpan(span.start + number * part, span.start + (number + 1) * part)


def hull(one: TimeSpan, other: TimeSpan) -> TimeSpan:
    """Returns the span from the start of the earlier span to the end of the later span."""
    return TimeSpan(min(one.start, other.start), max(one.end, other.end))


def _first_of_month(year: int, number: int) -> datetime:
    more_years, month_from_zero = divmod(number - 1, 12)
    return datetime(year + more_years, month_from_zero + 1, 1, tzinfo=UTC)
