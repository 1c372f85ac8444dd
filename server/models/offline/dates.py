"""Relative dates, resolved: `yesterday` becomes `yesterday (2026-11-22)`."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_UNITS = ("day", "week", "month", "year")
_NUMBERS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
}  # fmt: skip
_NAMED_DAYS = {
    "the day before yesterday": -2, "day before yesterday": -2, "yesterday": -1, "last night": -1,
    "today": 0, "tonight": 0, "this morning": 0, "this afternoon": 0, "this evening": 0,
    "tomorrow": 1, "the day after tomorrow": 2, "day after tomorrow": 2,
}  # fmt: skip
_NUMBER = rf"(?P<{{}}>\d{{{{1,3}}}}|{'|'.join(_NUMBERS)})"
_RELATIVE = re.compile(
    rf"\b(?:(?P<named>{'|'.join(_NAMED_DAYS)})"
    rf"|(?P<which>last|next|this) (?P<what>{'|'.join((*_DAYS, *_UNITS[1:]))}|weekend)"
    rf"|{_NUMBER.format('past')} (?P<past_unit>{'|'.join(_UNITS)})s? ago"
    rf"|in {_NUMBER.format('future')} (?P<future_unit>{'|'.join(_UNITS)})s?)\b(?!'s)",
    re.IGNORECASE,
)
_STEP = {"last": -1, "this": 0, "next": 1}
_MONTHS = 12
_WEEK = timedelta(weeks=1)


def resolved(text: str, now: datetime) -> str:
    """The text with the calendar date, by the UTC day of `now`, after each relative one."""
    today = now.astimezone(UTC).date()
    return _RELATIVE.sub(lambda match: _annotated(match, today), text)


def _annotated(match: re.Match[str], today: date) -> str:
    try:
        return f"{match.group()} ({_meaning(match, today)})"
    except (OverflowError, ValueError):  # before the first or after the last year of the calendar
        return match.group()


def _meaning(match: re.Match[str], today: date) -> str:
    part = {name: value.lower() for name, value in match.groupdict().items() if value}
    if "named" in part:
        return str(today + timedelta(days=_NAMED_DAYS[part["named"]]))
    if "which" in part:
        return _which(_STEP[part["which"]], part["what"], today)
    if "past" in part:
        return _distant(-_number(part["past"]), part["past_unit"], today)
    return _distant(_number(part["future"]), part["future_unit"], today)


def _which(step: int, what: str, today: date) -> str:
    """Last, this or next `what`; days count in calendar weeks that begin on Monday."""
    monday = today - timedelta(days=today.weekday())
    if what == "weekend":
        return f"weekend of {monday + timedelta(days=5) + step * _WEEK}"
    if what == "week":
        return f"week of {monday + step * _WEEK}"
    if what in _DAYS:
        return str(_weekday(step, _DAYS.index(what), today))
    return _distant(step, what, today)


def _weekday(step: int, weekday: int, today: date) -> date:
    """The nearest such day before (-1) or after (1) today; this week's for 0."""
    distance = (weekday - today.weekday()) % 7
    if step < 0:
        return today + timedelta(days=distance - 7)
    if step > 0:
        return today + timedelta(days=distance or 7)
    return today + timedelta(days=weekday - today.weekday())


def _distant(count: int, unit: str, today: date) -> str:
    if unit == "day":
        return str(today + timedelta(days=count))
    if unit == "week":
        return str(today + count * _WEEK)
    if unit == "year":
        return f"{today.replace(year=today.year + count, day=1).year}"
    years, month = divmod(today.month - 1 + count, _MONTHS)
    return f"{today.replace(year=today.year + years, month=month + 1, day=1):%Y-%m}"


def _number(text: str) -> int:
    return int(text) if text.isdigit() else _NUMBERS[text]
