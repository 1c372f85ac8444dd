"""The cache of the sizes of large scopes."""

from __future__ import annotations

from server.memories.scope import Scope
from server.storage.postgres.search import ScopeSizes
from server.storage.postgres.search_statements import ScopeSize
from tests.support.clocks import HandClock

ALICE = Scope(user_id="alice")


def test_a_large_scope_is_known_by_project_and_scope() -> None:
    sizes = ScopeSizes(large=10)
    sizes.record("p", ALICE, ScopeSize(10, 50.0))
    assert sizes.of("p", ALICE) == ScopeSize(10, 50.0)
    assert sizes.of("q", ALICE) is None
    assert sizes.of("p", Scope(user_id="alice", run_id="r")) is None


def test_a_scope_that_has_become_small_is_removed() -> None:
    sizes = ScopeSizes(large=10)
    sizes.record("p", ALICE, ScopeSize(10, 50.0))
    sizes.record("p", ALICE, ScopeSize(9, 50.0))
    assert sizes.of("p", ALICE) is None


def test_a_size_expires_after_ten_minutes() -> None:
    clock = HandClock(100.0)
    sizes = ScopeSizes(large=10, monotonic=clock)
    sizes.record("p", ALICE, ScopeSize(10, 50.0))
    clock.now += 599.9
    assert sizes.of("p", ALICE) is not None
    clock.now = 700.0
    assert sizes.of("p", ALICE) is None


def test_the_least_recently_recorded_scope_is_evicted() -> None:
    sizes = ScopeSizes(large=0)
    for number in range(10_001):
        sizes.record("p", Scope(user_id=str(number)), ScopeSize(number, 1.0))
    assert sizes.of("p", Scope(user_id="0")) is None
    assert sizes.of("p", Scope(user_id="1")) == ScopeSize(1, 1.0)
