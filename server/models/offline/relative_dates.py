"""Adds calendar dates to relative ones: `yesterday` becomes `yesterday (2026-11-22)`."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, timedelta

_DAYS = tuple(map(str.lower, calendar.day_name))
_COUNTED = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
            "eleven", "twelve")  # fmt: skip
_NUMBERS = {"a": 1, "an": 1} | {word: number for number, word in enumerate(_COUNTED, start=1)}
_DAYS_FROM_TODAY = {
    "the day before yesterday": -2, "day before yesterday": -2, "yesterday": -1, "last night": -1,
    "today": 0, "tonight": 0, "this morning": 0, "this afternoon": 0, "this evening": 0,
    "tomorrow": 1, "the day after tomorrow": 2, "day after tomorrow": 2,
}  # fmt: skip
_STEPS = {"last": -1, "this": 0, "next": 1}
_COUNT = rf"(\d{{1,3}}|{'|'.join(_NUMBERS)}) (day|week|month|year)s?"
_RELATIVE = re.compile(
    rf"\b(?:({'|'.join(_DAYS_FROM_TODAY)})"
    rf"|(last|next|this) ({'|'.join(_DAYS)}|weekend|week|month|year)"
    rf"|{_COUNT} ago|in {_COUNT})\b(?!'s)",
    re.IGNORECASE,
)
_MONTHS = 12
_WEEK = timedelta(weeks=1)


def with_calendar_dates(text: str, now: datetime) -> str:
    """Returns the text with a calendar date after each relative date, counted from `now` in UTC."""
    today = now.astimezone(UTC).date()
    return _RELATIVE.sub(lambda match: _annotated(match, today), text)


def _annotated(match: re.Match[str], today: date) -> str:
    try:
        return f"{match.group()} ({_calendar_date(match, today)})"
    except (OverflowError, ValueError):  # before the first or after the last year of the calendar
        return match.group()


def _calendar_date(match: re.Match[str], today: date) -> str:
    named_day, step, period, count_ago, unit_ago, count_ahead, unit_ahead = (
        (part or "").lower() for part in match.groups()
    )
    if named_day:
        return str(today + timedelta(days=_DAYS_FROM_TODAY[named_day]))
    if step:
        return _calendar_period(_STEPS[step], period, today)
    if count_ago:
        return _date_after(-_number(count_ago), unit_ago, today)
    return _date_after(_number(count_ahead), unit_ahead, today)


def _calendar_period(step: int, period: str, today: date) -> str:
    """Returns the last, this or next period or day, in calendar weeks that begin on Monday."""
    monday = today - timedelta(days=today.weekday())
    if period == "weekend":
        return f"weekend of {monday + timedelta(days=5) + step * _WEEK}"
    if period == "week":
        return f"week of {monday + step * _WEEK}"
    if period not in _DAYS:
        return _date_after(step, period, today)
    # The nearest such day before or after today; for `this`, the day of this week.
    ahead = _DAYS.index(period) - today.weekday()
    days = {-1: ahead % 7 - 7, 0: ahead, 1: ahead % 7 or 7}[step]
    return str(today + timedelta(days=days))


def _date_after(count: int, unit: str, today: date) -> str:
    """Returns the date that is this many units after today, without what is finer than the unit.

    That is a day for days and weeks, such as 2026-11-30, else a month or a year.
    """
    if unit in {"day", "week"}:
        return str(today + timedelta(**{f"{unit}s": count}))
    if unit == "year":
        return f"{today.replace(year=today.year + count, day=1).year}"
    years, month = divmod(today.month - 1 + count, _MONTHS)
    return f"{today.replace(year=today.year + years, month=month + 1, day=1):%Y-%m}"


def _number(text: str) -> int:
    return int(text) if text.isdigit() else _NUMBERS[text]
