"""A cache holds values up to a total size, and drops the least recently used."""

from __future__ import annotations

import pytest

from server.core.caches import SizedCache


@pytest.fixture
def cache() -> SizedCache[str, str]:
    return SizedCache(10, len)


def test_only_values_of_the_same_key_are_found(cache: SizedCache[str, str]) -> None:
    cache.put("one", "tea")
    assert cache.get("one") == "tea"
    assert cache.get("other") is None


def test_the_least_recently_used_value_makes_room(cache: SizedCache[str, str]) -> None:
    cache.put("one", "four")
    cache.put("other", "four")
    cache.get("one")
    cache.put("third", "four")
    assert [cache.get(key) for key in ("one", "other", "third")] == ["four", None, "four"]


def test_a_value_that_is_stored_again_takes_no_more_room(cache: SizedCache[str, str]) -> None:
    for _ in range(3):
        cache.put("one", "four")
    cache.put("other", "four")
    assert cache.get("one")
    assert cache.get("other")


def test_a_value_larger_than_the_cache_is_not_stored(cache: SizedCache[str, str]) -> None:
    cache.put("one", "four")
    cache.put("other", "eleven long")
    assert cache.get("one")
    assert cache.get("other") is None
