"""A cache whose entries are valid for a limited time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.caches import TtlCache
from tests.support.clocks import HandClock


@pytest.mark.parametrize(("age", "found"), [(0.0, 1), (4.999, 1), (5.0, None), (99.0, None)])
def test_an_entry_is_valid_for_its_time(age: float, found: int | None) -> None:
    watch = HandClock()
    cache = TtlCache[str, int](5.0, 10, watch)
    cache.put("a", 1)
    watch.now += age
    assert cache.get("a") == found
    assert cache.get("b") is None


def test_storing_an_entry_extends_its_time_and_reading_does_not() -> None:
    watch = HandClock()
    cache = TtlCache[str, int](5.0, 10, watch)
    cache.put("read", 1)
    cache.put("put", 1)
    watch.now = 4.0
    cache.get("read")
    cache.put("put", 2)
    watch.now = 6.0
    assert (cache.get("read"), cache.get("put")) == (None, 2)


@given(st.lists(st.integers(0, 9)), st.integers(1, 4))
def test_only_the_last_stored_entries_are_kept(keys: list[int], size: int) -> None:
    cache = TtlCache[int, int](5.0, size, HandClock())
    for place, key in enumerate(keys):
        cache.put(key, place)
    last_places = {key: place for place, key in enumerate(keys)}
    newest = sorted(last_places, key=lambda key: -last_places[key])[:size]
    expected = {key: last_places[key] for key in newest}
    assert {key: cache.get(key) for key in range(10) if cache.get(key) is not None} == expected
