"""Finds the dates and periods in a question, in English.

A name without a year, such as May or Monday, means the latest one that has begun, because questions
are about the past. "This year" and "next month" are ignored: they are usually the subject of a
question, as in "my budget for this year", and seldom the time of an event. Ambiguous words (may,
march, fall, a number that could be a year) count only after a preposition or beside a number. Dates
such as 5/8/2023 are ignored, because their order differs between countries.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final, TypeAlias

from server.memories.search import time_spans as spans
from server.memories.search.time_spans import DAY, Season, TimeSpan

_Reading: TypeAlias = Callable[[re.Match[str], datetime], TimeSpan]

_MONTHS: Final = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SEASONS: Final = {**{season.value: season for season in Season}, "fall": Season.AUTUMN}
_PARTS: Final = ("early", "mid", "late")
_COUNTED: Final = (
    *("one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
_VAGUE: Final = {"a": 1, "an": 1, "couple": 2, "few": 3, "several": 4}
_NUMBERS: Final = {word: number for number, word in enumerate(_COUNTED, start=1)} | _VAGUE
_UNITS: Final = {
    "hour": timedelta(hours=1),
    "day": DAY,
    "week": 7 * DAY,
    "month": timedelta(days=30.44),
    "year": timedelta(days=365.25),
}
_DAYS_FROM_TODAY: Final = {
    "the day before yesterday": -2,
    "yesterday": -1,
    "last night": -1,
    "today": 0,
    "tonight": 0,
    "this morning": 0,
    "this afternoon": 0,
    "this evening": 0,
}

_YEAR: Final = r"(?:19|20)\d\d\b"
_DAY: Final = r"\d{1,2}(?:st|nd|rd|th)?\b"
_MONTH: Final = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_SEASON: Final = rf"(?:{'|'.join(_SEASONS)})\b"
_WEEKDAY: Final = rf"(?:{'|'.join(_WEEKDAYS)})\b"
_PART: Final = rf"(?P<part>{'|'.join(_PARTS)})[ -]"
_UNIT: Final = rf"(?P<unit>{'|'.join(_UNITS)})s?\b"
_NUMBER: Final = rf"(?:an? )?(?P<number>\d{{1,4}}|{'|'.join(_NUMBERS)})(?: of)?"


def times_in(question: str, reference: datetime) -> list[TimeSpan]:
    """Returns the times in a question, relative to the instant `reference`.

    Invalid dates, such as 30 February, are ignored.
    """
    text = " ".join(question.casefold().split())
    now = reference.astimezone(UTC)
    found = (_read(match, now) for match in _EXPRESSION.finditer(text))
    return [span for span in found if span is not None]


def _read(match: re.Match[str], now: datetime) -> TimeSpan | None:
    try:
        if match["first"]:
            return _between(match["first"], match["last"], now)
        if match["bound"]:
            return _bounded(match["bound"], _single_time(match["bound_time"], now), now)
        return _single_time(match["after_preposition"] or match["alone"], now)
    except (ValueError, OverflowError):
        return None


def _between(first: str, last: str, now: datetime) -> TimeSpan:
    """Returns the span from one to the other: in "March to June 2021", March is in 2021 too."""
    end = _single_time(last, now)
    start = _single_time(first, now)
    if start.start > end.start:
        start = _single_time(first, end.start)
    return spans.hull(start, end)


def _bounded(word: str, span: TimeSpan, now: datetime) -> TimeSpan:
    if word in {"since", "after"}:
        start = span.start if word == "since" else span.end
        return TimeSpan(start, max(start, now))
    return TimeSpan(datetime.min.replace(tzinfo=UTC), span.start if word == "before" else span.end)


def _single_time(text: str, now: datetime) -> TimeSpan:
    """Returns the time that one form describes."""
    for form, reading in _FORMS.items():
        if match := re.fullmatch(form, text):
            return reading(match, now)
    raise ValueError(f"not a time: {text}")


def _iso(match: re.Match[str], _: datetime) -> TimeSpan:
    first = date(int(match["year"]), int(match["month"]), int(match["day"] or 1))
    return spans.days(first) if match["day"] else spans.month(first.year, first.month)


def _day_of_month(match: re.Match[str], now: datetime) -> TimeSpan:
    first = _ordinal(match["day"])
    last = _ordinal(match.groupdict().get("until") or match["day"])
    number = _month_number(match["month"])

    def span_in(year: int) -> TimeSpan:
        return spans.days(date(year, number, first), max(1, last - first + 1))

    return span_in(int(match["year"])) if match["year"] else _latest_begun(span_in, now)


def _named(match: re.Match[str], now: datetime) -> TimeSpan:
    """Returns a month, a season or a year, or a part of it."""
    groups, name = match.groupdict(), match["name"]
    span_in = _by_year(name)
    if name.isdecimal():
        span = spans.years(int(name))
    elif groups.get("year"):
        span = span_in(int(match["year"]))
    else:
        span = _latest_begun(span_in, now)
    return spans.third(span, _PARTS.index(groups["part"])) if groups.get("part") else span


def _last(match: re.Match[str], now: datetime) -> TimeSpan:
    """Returns the last period of this kind that is over."""
    name, today = match["name"], now.date()
    match name:
        case "week":
            return spans.week(today - 7 * DAY)
        case "weekend":
            return spans.weekend(today - 7 * DAY)
        case "month":
            return spans.month(today.year, today.month - 1)
        case "year":
            return spans.years(today.year - 1)
    if name in _WEEKDAYS:
        return spans.days(_latest_weekday(name, today - DAY))
    # In January, the winter that began in the previous year is not over yet.
    near = (_by_year(name)(today.year - back) for back in range(3))
    return next(span for span in near if span.end <= now)


def _past_units(match: re.Match[str], now: datetime) -> TimeSpan:
    """Returns the time from some units ago to now."""
    return TimeSpan(now - _number(match["number"] or "one") * _UNITS[match["unit"]], now)


def _ago(match: re.Match[str], now: datetime) -> TimeSpan:
    """Returns half a unit before and after that moment, because such numbers are rounded."""
    unit = _UNITS[match["unit"]]
    moment = now - _number(match["number"]) * unit
    half = max(unit / 2 - DAY / 2, timedelta())
    return spans.hull(spans.days((moment - half).date()), spans.days((moment + half).date()))


def _day_from_today(match: re.Match[str], now: datetime) -> TimeSpan:
    return spans.days(now.date() + _DAYS_FROM_TODAY[match["near"]] * DAY)


def _decade(match: re.Match[str], _: datetime) -> TimeSpan:
    return spans.years(int(match["decade"]), 10)


def _bare_weekday(match: re.Match[str], now: datetime) -> TimeSpan:
    return spans.days(_latest_weekday(match["weekday"], now.date()))


def _latest_weekday(name: str, today: date) -> date:
    return today - (today.weekday() - _WEEKDAYS.index(name)) % 7 * DAY


def _by_year(name: str) -> Callable[[int], TimeSpan]:
    """Returns a function from a year to that year's month or season."""
    if season := _SEASONS.get(name):
        return lambda year: spans.season(year, season)
    return lambda year: spans.month(year, _month_number(name))


def _latest_begun(span_in: Callable[[int], TimeSpan], now: datetime) -> TimeSpan:
    this = span_in(now.year)
    return this if this.start <= now else span_in(now.year - 1)


def _month_number(name: str) -> int:
    return _MONTHS.index(name[:3]) + 1


def _ordinal(day: str) -> int:
    return int(day.rstrip("stndrh"))


def _number(word: str) -> int:
    return _NUMBERS.get(word) or int(word)


_CLEAR: Final[dict[str, _Reading]] = {
    r"(?P<year>(?:19|20)\d\d)-(?P<month>\d\d)(?:-(?P<day>\d\d))?\b": _iso,
    rf"(?P<day>{_DAY}) (?:of )?(?P<month>{_MONTH})(?:,? (?P<year>{_YEAR}))?": _day_of_month,
    rf"(?P<month>{_MONTH}) (?:the )?(?P<day>{_DAY})(?: ?[-\u2013] ?(?P<until>{_DAY}))?"
    rf"(?:,? (?P<year>{_YEAR}))?": _day_of_month,
    rf"(?:{_PART})?(?P<name>{_MONTH}|{_SEASON}),? (?:of )?(?P<year>{_YEAR})": _named,
    rf"{_PART}(?P<name>{_MONTH}|{_SEASON}|{_YEAR})": _named,
    rf"(?P<near>{'|'.join(_DAYS_FROM_TODAY)})\b": _day_from_today,
    # "Last" alone begins a count only before a number: "last two weeks", but not "last week".
    rf"(?:the (?:last|past|previous)|past|last(?= {_NUMBER.replace('?P<number>', '?:')} )) "
    rf"(?:{_NUMBER} )?{_UNIT}": _past_units,
    rf"(?:last|previous) (?P<name>weekend|week|month|year|{_MONTH}|{_SEASON}|{_WEEKDAY})\b": _last,
    rf"{_NUMBER} {_UNIT} ago\b": _ago,
}
"""Forms of times that are recognised anywhere. The first form that matches is used."""

_BARE: Final[dict[str, _Reading]] = {
    r"(?P<decade>(?:19|20)\d0)'?s\b": _decade,
    rf"(?P<name>{_YEAR}|{_MONTH}|{_SEASON})": _named,
    rf"(?P<weekday>{_WEEKDAY})": _bare_weekday,
}
"""Forms of times that need a preposition."""


_FORMS: Final = _CLEAR | _BARE


def _any_of(forms: dict[str, _Reading]) -> str:
    return "(?:" + "|".join(re.sub(r"\?P<\w+>", "?:", form) for form in forms) + ")"


_TIME: Final = _any_of(_FORMS)
_EXPRESSION: Final = re.compile(
    rf"\b(?:(?:between|from) (?:the )?(?P<first>{_TIME}) (?:and|to|until|till|through) (?:the )?"
    rf"(?P<last>{_TIME})"
    rf"|(?P<bound>since|after|before|until|till|by) (?:the )?(?P<bound_time>{_TIME})"
    rf"|(?:in|on|during|of|throughout|from) (?:the )?(?P<after_preposition>{_TIME})"
    rf"|(?P<alone>{_any_of(_CLEAR)}))"
)
