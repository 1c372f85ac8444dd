"""Ids have the right version, are sorted by time, and are unique."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import RFC_4122

from hypothesis import given
from hypothesis import strategies as st

from server.core.clock import MAX_ORDINAL, UNIX_EPOCH, new_id

times = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 - Hypothesis adds the time zone
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-11)), timezone(timedelta(hours=14))]),
).filter(lambda time: time >= UNIX_EPOCH)


@given(times)
def test_ids_are_uuids_of_version_7(now: datetime) -> None:
    identifier = new_id(now)
    assert identifier.version == 7
    assert identifier.variant == RFC_4122


@given(times)
def test_an_id_begins_with_the_milliseconds_of_its_time(now: datetime) -> None:
    stamped = UNIX_EPOCH + timedelta(milliseconds=new_id(now).int >> 80)
    assert timedelta(0) <= now - stamped < timedelta(milliseconds=1)


@given(times, st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(days=9)))
def test_ids_sort_by_time(now: datetime, later: timedelta) -> None:
    if now.year < 9999:
        assert new_id(now) < new_id(now + later)
        assert str(new_id(now)) < str(new_id(now + later))


def test_ids_of_the_same_time_differ() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert len({new_id(now) for _ in range(10_000)}) == 10_000


@given(times, st.integers(0, MAX_ORDINAL - 1))
def test_ids_of_one_call_are_in_order(now: datetime, ordinal: int) -> None:
    first, second = new_id(now, ordinal), new_id(now, ordinal + 1)
    assert first < second
    assert (first.version, first.variant) == (7, RFC_4122)
