"""Relative dates are resolved against the time of the conversation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from server.models.offline.relative_dates import with_calendar_dates

MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "dated"),
    [
        ("yesterday", "yesterday (2026-11-22)"),
        ("the day before yesterday", "the day before yesterday (2026-11-21)"),
        ("the day after tomorrow", "the day after tomorrow (2026-11-25)"),
        ("I swam last night", "I swam last night (2026-11-22)"),
        ("Today and Tomorrow", "Today (2026-11-23) and Tomorrow (2026-11-24)"),
        ("this morning", "this morning (2026-11-23)"),
        ("last week", "last week (week of 2026-11-16)"),
        ("next week", "next week (week of 2026-11-30)"),
        ("last weekend", "last weekend (weekend of 2026-11-21)"),
        ("last month", "last month (2026-10)"),
        ("next month", "next month (2026-12)"),
        ("last year", "last year (2025)"),
        ("next Friday", "next Friday (2026-11-27)"),
        ("next monday", "next monday (2026-11-30)"),
        ("last Monday", "last Monday (2026-11-16)"),
        ("last Sunday", "last Sunday (2026-11-22)"),
        ("this Friday", "this Friday (2026-11-27)"),
        ("3 days ago", "3 days ago (2026-11-20)"),
        ("two weeks ago", "two weeks ago (2026-11-09)"),
        ("a month ago", "a month ago (2026-10)"),
        ("in 14 months", "in 14 months (2028-01)"),
        ("ten years ago", "ten years ago (2016)"),
        ("in two days", "in two days (2026-11-25)"),
        ("today's weather", "today's weather"),
        ("in 2019 on the last day", "in 2019 on the last day"),
        ("at last we left", "at last we left"),
        ("yesterdays", "yesterdays"),
    ],
)
def test_relative_dates_are_resolved(text: str, dated: str) -> None:
    assert with_calendar_dates(text, MONDAY) == dated


def test_the_day_is_in_utc() -> None:
    late = datetime(2026, 11, 23, 1, tzinfo=timezone(timedelta(hours=3)))
    assert with_calendar_dates("today", late) == "today (2026-11-22)"


@pytest.mark.parametrize("text", ["999 years ago", "yesterday", "last month", "last week"])
def test_dates_outside_the_calendar_are_not_resolved(text: str) -> None:
    assert with_calendar_dates(text, datetime(1, 1, 1, tzinfo=UTC)) == text


def test_leap_days_are_resolved() -> None:
    leap_day = datetime(2028, 2, 29, tzinfo=UTC)
    assert with_calendar_dates("last year, a month ago", leap_day) == (
        "last year (2027), a month ago (2028-01)"
    )
