"""The circuit breaker, with a clock that the test sets."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from server.core.circuit_breaker import PATIENCE_SECONDS, BreakerState, CircuitBreaker
from server.core.errors import DeadlineExceeded
from tests.support.clocks import HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock(100.0)


@pytest.fixture
def breaker(clock: HandClock) -> CircuitBreaker:
    return CircuitBreaker("test", failures=3, pause=2.0, monotonic=clock)


def state_of(breaker: CircuitBreaker) -> BreakerState:
    return breaker.state


def fail(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        assert breaker.admits()
        breaker.failed()


def test_it_opens_after_consecutive_failures(breaker: CircuitBreaker) -> None:
    fail(breaker, 2)
    assert state_of(breaker) == BreakerState.CLOSED
    fail(breaker, 1)
    assert state_of(breaker) == BreakerState.OPEN
    assert not breaker.admits()


def test_a_success_resets_the_count(breaker: CircuitBreaker) -> None:
    fail(breaker, 2)
    breaker.succeeded()
    fail(breaker, 2)
    assert state_of(breaker) == BreakerState.CLOSED


def test_after_the_pause_one_call_is_let_through(breaker: CircuitBreaker, clock: HandClock) -> None:
    fail(breaker, 3)
    clock.now += 1.9
    assert not breaker.admits()
    clock.now += 0.2
    assert state_of(breaker) == BreakerState.HALF_OPEN
    assert breaker.admits()
    assert not breaker.admits()
    breaker.succeeded()
    assert state_of(breaker) == BreakerState.CLOSED
    assert breaker.admits()


def test_it_refuses_during_the_pause_and_during_a_trial_call(
    breaker: CircuitBreaker, clock: HandClock
) -> None:
    seen = [breaker.refuses]
    fail(breaker, 3)
    seen.append(breaker.refuses)
    clock.now += 2.0
    seen.append(breaker.refuses)
    assert breaker.admits()
    seen.append(breaker.refuses)
    breaker.succeeded()
    seen.append(breaker.refuses)
    assert seen == [False, True, False, True, False]


def test_a_failed_trial_call_opens_it_for_the_same_time_again(
    breaker: CircuitBreaker, clock: HandClock
) -> None:
    fail(breaker, 3)
    clock.now += 2.0
    fail(breaker, 1)
    clock.now += 1.9
    assert state_of(breaker) == BreakerState.OPEN
    clock.now += 0.1
    assert breaker.admits()


def test_an_abandoned_trial_call_lets_another_one_through(
    breaker: CircuitBreaker, clock: HandClock
) -> None:
    fail(breaker, 3)
    clock.now += 2.0
    assert breaker.admits()
    breaker.abandoned()
    assert breaker.admits()


def report(
    breaker: CircuitBreaker, error: BaseException, clock: HandClock, seconds: float = 0.0
) -> None:
    """Reports a call with this outcome and duration; an exception type is a failure."""
    assert breaker.admits()
    with (
        suppress(BaseException),
        breaker.record_outcome(is_failure=lambda ended: isinstance(ended, ConnectionError)),
    ):
        clock.now += seconds
        raise error


def test_reported_failures_open_it(breaker: CircuitBreaker, clock: HandClock) -> None:
    for _ in range(3):
        report(breaker, ConnectionError(), clock)
    assert state_of(breaker) == BreakerState.OPEN


def test_an_error_that_is_a_response_resets_the_count(
    breaker: CircuitBreaker, clock: HandClock
) -> None:
    for error in (ConnectionError(), ConnectionError(), ValueError(), ConnectionError()):
        report(breaker, error, clock)
    assert state_of(breaker) == BreakerState.CLOSED


def test_a_response_closes_it(breaker: CircuitBreaker, clock: HandClock) -> None:
    fail(breaker, 3)
    clock.now += 2.0
    assert breaker.admits()
    with breaker.record_outcome(is_failure=lambda _: True):
        pass
    assert state_of(breaker) == BreakerState.CLOSED


@pytest.mark.parametrize("given_up", [asyncio.CancelledError, DeadlineExceeded])
def test_cancelled_calls_count_as_failures_if_they_waited_long_enough(
    breaker: CircuitBreaker, clock: HandClock, given_up: type[BaseException]
) -> None:
    for _ in range(5):
        report(breaker, given_up(), clock, PATIENCE_SECONDS / 2)
    assert state_of(breaker) == BreakerState.CLOSED
    for _ in range(3):
        report(breaker, given_up(), clock, PATIENCE_SECONDS)
    assert state_of(breaker) == BreakerState.OPEN
