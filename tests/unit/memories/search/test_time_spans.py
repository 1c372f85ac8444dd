"""Spans of time, and the closeness of events to them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from server.memories.search.time_spans import (
    Season,
    TimeSpan,
    closeness,
    days,
    hull,
    month,
    season,
    third,
    week,
    weekend,
    years,
)

MAY = month(2023, 5)


def at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def ends(span: TimeSpan) -> tuple[str, str]:
    """The first and the last day."""
    return str(span.start.date()), str((span.end - timedelta(seconds=1)).date())


def test_a_span_does_not_end_before_it_starts() -> None:
    with pytest.raises(ValueError, match="end before"):
        TimeSpan(MAY.end, MAY.start)


@pytest.mark.parametrize(
    ("span", "first", "last"),
    [
        (week(date(2023, 11, 15)), "2023-11-13", "2023-11-19"),
        (week(date(2023, 11, 13)), "2023-11-13", "2023-11-19"),
        (weekend(date(2023, 11, 15)), "2023-11-18", "2023-11-19"),
        (month(2023, 0), "2022-12-01", "2022-12-31"),
        (month(2023, 13), "2024-01-01", "2024-01-31"),
        (season(2023, Season.WINTER), "2023-12-01", "2024-02-29"),
        (years(1990, 10), "1990-01-01", "1999-12-31"),
        (third(month(2023, 6), 2), "2023-06-21", "2023-06-30"),
        (hull(month(2023, 6), MAY), "2023-05-01", "2023-06-30"),
    ],
)
def test_calendar_spans_have_their_first_and_last_day(
    span: TimeSpan, first: str, last: str
) -> None:
    assert ends(span) == (first, last)


def test_closeness_is_one_within_a_span_and_falls_with_the_distance() -> None:
    assert MAY.closeness(MAY.start) == MAY.closeness(at(date(2023, 5, 31))) == 1.0
    assert MAY.closeness(MAY.end + timedelta(days=15.5)) == pytest.approx(0.5)
    assert MAY.closeness(MAY.start - timedelta(days=15.5)) == pytest.approx(0.5)
    assert MAY.closeness(MAY.end + timedelta(days=31)) == 0.0


def test_the_margin_is_as_long_as_the_span_within_limits() -> None:
    instant = TimeSpan(MAY.start, MAY.start)
    assert instant.closeness(MAY.start + timedelta(hours=12)) == pytest.approx(0.5)
    one_week = days(date(2023, 5, 1), 7)
    assert one_week.closeness(one_week.end + timedelta(days=3.5)) == pytest.approx(0.5)
    year = years(2022)
    assert year.closeness(year.end + timedelta(days=15.5)) == pytest.approx(0.5)


def test_the_nearest_of_several_spans_counts() -> None:
    moment = at(date(2023, 5, 8))
    assert closeness(moment, [years(2020), MAY]) == 1.0
    assert closeness(moment, []) == 0.0
