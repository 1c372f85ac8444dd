"""Finding the times in a question."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.memories.search.question_times import times_in

WEDNESDAY = datetime(2023, 11, 15, 12, tzinfo=UTC)


def found(question: str, reference: datetime = WEDNESDAY) -> list[str]:
    """The first and the last day of each time."""
    return [
        f"{span.start.date()}/{(span.end - timedelta(seconds=1)).date()}"
        for span in times_in(question, reference)
    ]


@pytest.mark.parametrize(
    ("question", "span"),
    [
        ("What happened on 8 May 2023?", "2023-05-08/2023-05-08"),
        ("Where were we on the 8th of May, 2023", "2023-05-08/2023-05-08"),
        ("the talk of May 8th, 2023", "2023-05-08/2023-05-08"),
        ("what about Sept. 5", "2023-09-05/2023-09-05"),
        ("what about December 5", "2022-12-05/2022-12-05"),
        ("the marathon of April 6-7", "2023-04-06/2023-04-07"),
        ("2023-05-08", "2023-05-08/2023-05-08"),
        ("the report for 2023-05", "2023-05-01/2023-05-31"),
    ],
)
def test_dates_are_found(question: str, span: str) -> None:
    assert found(question) == [span]


@pytest.mark.parametrize(
    ("question", "span"),
    [
        ("Who came in May?", "2023-05-01/2023-05-31"),
        ("Who came in December?", "2022-12-01/2022-12-31"),
        ("Who came in May 2021?", "2021-05-01/2021-05-31"),
        ("in the summer of 2022", "2022-06-01/2022-08-31"),
        ("in the fall", "2023-09-01/2023-11-30"),
        ("What did we do in 2022", "2022-01-01/2022-12-31"),
        ("in the 1990s", "1990-01-01/1999-12-31"),
        ("late 2021", "2021-09-01/2021-12-31"),
        ("in mid-June", "2023-06-11/2023-06-20"),
        ("on Monday", "2023-11-13/2023-11-13"),
        ("on Wednesday", "2023-11-15/2023-11-15"),
        ("on Thursday", "2023-11-09/2023-11-09"),
    ],
)
def test_names_of_times_mean_the_latest_that_has_begun(question: str, span: str) -> None:
    assert found(question) == [span]


@pytest.mark.parametrize(
    ("question", "span"),
    [
        ("What did I eat yesterday?", "2023-11-14/2023-11-14"),
        ("the day before yesterday", "2023-11-13/2023-11-13"),
        ("Who called last night?", "2023-11-14/2023-11-14"),
        ("what is on today", "2023-11-15/2023-11-15"),
        ("last May", "2023-05-01/2023-05-31"),
        ("last November", "2022-11-01/2022-11-30"),
        ("last winter", "2022-12-01/2023-02-28"),
        ("last Wednesday", "2023-11-08/2023-11-08"),
        ("last Monday", "2023-11-13/2023-11-13"),
        ("last week", "2023-11-06/2023-11-12"),
        ("last weekend", "2023-11-11/2023-11-12"),
        ("previous month", "2023-10-01/2023-10-31"),
        ("last year", "2022-01-01/2022-12-31"),
        ("two weeks ago", "2023-10-29/2023-11-04"),
        ("3 days ago", "2023-11-12/2023-11-12"),
        ("a couple of days ago", "2023-11-13/2023-11-13"),
        ("an hour ago", "2023-11-15/2023-11-15"),
        ("over the past week", "2023-11-08/2023-11-15"),
        ("in the last 2 weeks", "2023-11-01/2023-11-15"),
    ],
)
def test_relative_times_are_found(question: str, span: str) -> None:
    assert found(question) == [span]


@pytest.mark.parametrize(
    ("question", "span"),
    [
        ("between March and June 2021", "2021-03-01/2021-06-30"),
        ("from November to February 2021", "2020-11-01/2021-02-28"),
        ("from 2019 until 2021", "2019-01-01/2021-12-31"),
        ("What changed since Monday?", "2023-11-13/2023-11-15"),
        ("after 2022", "2023-01-01/2023-11-15"),
        ("before June 2022", "0001-01-01/2022-05-31"),
        ("by June 2022", "0001-01-01/2022-06-30"),
    ],
)
def test_spans_between_times_are_found(question: str, span: str) -> None:
    assert found(question) == [span]


@pytest.mark.parametrize(
    "question",
    [
        "What may I drink?",
        "What is my budget for this year?",
        "What is due next month?",
        "Where do they march, and did Anna and May fall?",
        "Who earns 2000 dollars?",
        "on 30 February 2022",
        "2023-13",
        "9999 years ago",
        "What is due on 5/8/2023?",
        "in the mayor's office",
        "the last of us",
        "",
    ],
)
def test_other_numbers_and_words_are_not_times(question: str) -> None:
    assert found(question) == []


def test_last_winter_has_ended() -> None:
    january = datetime(2024, 1, 20, tzinfo=UTC)
    assert found("last winter", january) == ["2022-12-01/2023-02-28"]
    assert found("in winter", january) == ["2023-12-01/2024-02-29"]


def test_all_times_of_a_question_are_found() -> None:
    assert found("between yesterday's lunch and 8 May 2023, and in 2020") == [
        "2023-11-14/2023-11-14",
        "2023-05-08/2023-05-08",
        "2020-01-01/2020-12-31",
    ]


def test_days_are_in_utc() -> None:
    west = datetime.fromisoformat("2023-11-15T20:00:00-08:00")
    assert found("today", west) == ["2023-11-16/2023-11-16"]


WORDS = (
    *("in", "the", "last", "next", "this", "between", "and", "since", "before", "of", "ago", "a"),
    *("may", "february", "monday", "winter", "early", "weekend", "month", "year", "days", "past"),
    *("2023", "1999", "30", "29th", "2024-02-30", "9999", "yesterday", "1990s", "-", ","),
)
QUESTIONS = st.text(max_size=60) | st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


@given(QUESTIONS, st.datetimes(timezones=st.just(UTC)))
@example("last year", datetime.min.replace(tzinfo=UTC))
@example("today and in winter", datetime.max.replace(tzinfo=UTC))
def test_any_question_is_read_at_any_time(question: str, reference: datetime) -> None:
    for span in times_in(question, reference):
        assert span.start <= span.end
        assert 0.0 <= span.closeness(reference) <= 1.0
