"""A cache finds items by their exact states, and drops the least recently used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from server.storage.postgres.scope_index import State, StateCache

TIME = datetime(2026, 3, 1, tzinfo=UTC)
ONE, OTHER, THIRD = (UUID(int=number) for number in (1, 2, 3))
FIRST = State(1, TIME)


@pytest.fixture
def cache() -> StateCache[str]:
    return StateCache(10, len)


def test_only_the_same_state_of_the_same_project_is_found(cache: StateCache[str]) -> None:
    cache.keep("p", ONE, FIRST, "tea")
    assert cache.find("p", {ONE: FIRST, OTHER: FIRST, THIRD: None}) == {ONE: "tea"}
    assert not cache.find("q", {ONE: FIRST})
    assert not cache.find("p", {ONE: State(2, TIME)})
    assert not cache.find("p", {ONE: State(1, TIME + timedelta(seconds=1))})


def test_the_least_recently_used_item_makes_room(cache: StateCache[str]) -> None:
    cache.keep("p", ONE, FIRST, "four")
    cache.keep("p", OTHER, FIRST, "four")
    cache.find("p", {ONE: FIRST})
    cache.keep("p", THIRD, FIRST, "four")
    assert cache.find("p", dict.fromkeys((ONE, OTHER, THIRD), FIRST)) == {
        ONE: "four",
        THIRD: "four",
    }


def test_an_item_that_is_kept_again_takes_no_more_room(cache: StateCache[str]) -> None:
    for _ in range(3):
        cache.keep("p", ONE, FIRST, "four")
    cache.keep("p", OTHER, FIRST, "four")
    assert len(cache.find("p", {ONE: FIRST, OTHER: FIRST})) == 2


def test_an_item_larger_than_the_cache_is_not_kept(cache: StateCache[str]) -> None:
    cache.keep("p", ONE, FIRST, "four")
    cache.keep("p", OTHER, FIRST, "eleven long")
    assert cache.find("p", {ONE: FIRST, OTHER: FIRST}) == {ONE: "four"}
