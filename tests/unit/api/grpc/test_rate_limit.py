"""A project may send a burst, and then calls at its rate."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.api.grpc import rate_limit
from server.api.grpc.rate_limit import RateLimiter
from server.core.transient_errors import RateLimited
from tests.support.clocks import HandClock


def test_a_call_beyond_the_burst_gets_the_exact_retry_delay() -> None:
    clock = HandClock(1000.0)
    limiter = RateLimiter(4.0, 2, clock)
    limiter.take("p")
    limiter.take("p")
    with pytest.raises(RateLimited) as refused:
        limiter.take("p")
    assert refused.value.retry_after == timedelta(seconds=0.25)
    clock.now += 0.125
    with pytest.raises(RateLimited) as refused:
        limiter.take("p")
    assert refused.value.retry_after == timedelta(seconds=0.125)
    clock.now += 0.125
    limiter.take("p")


def test_projects_do_not_share_a_bucket() -> None:
    limiter = RateLimiter(1.0, 1, HandClock(1000.0))
    limiter.take("p")
    limiter.take("q")


def test_a_rate_of_zero_means_no_limit() -> None:
    limiter = RateLimiter(0.0, 1, HandClock(1000.0))
    for _ in range(1000):
        limiter.take("p")


def test_a_project_that_was_evicted_starts_with_a_full_bucket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rate_limit, "MOST_PROJECTS", 2)
    limiter = RateLimiter(1.0, 1, HandClock(1000.0))
    for project_id in ("p", "q", "r", "p"):
        limiter.take(project_id)
    with pytest.raises(RateLimited):
        limiter.take("p")


@given(pauses=st.lists(st.floats(min_value=0, max_value=2), max_size=60))
def test_rate_and_burst_limit_the_calls_that_pass(pauses: list[float]) -> None:
    clock = HandClock(1000.0)
    limiter = RateLimiter(3.0, 5, clock)
    began, passed = clock.now, 0
    for pause in pauses:
        clock.now += pause
        try:
            limiter.take("p")
        except RateLimited:
            continue
        passed += 1
    assert passed <= 5 + 3.0 * (clock.now - began) + 1e-6
