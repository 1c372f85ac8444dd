"""The limit on concurrent requests adapts to the provider."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.models.gemini.limiter import AdaptiveLimiter
from tests.support.clocks import HandClock

PATIENCE = 5.0


class Overload(Exception):
    """Too many requests."""


def limiter(most: int = 8, first: int = 16) -> AdaptiveLimiter:
    return AdaptiveLimiter(most, first=first)


def refused(error: Exception) -> bool:
    return isinstance(error, Overload)


async def request(of: AdaptiveLimiter, outcome: type[Exception] | None = None) -> None:
    try:
        async with of.slot(refused):
            if outcome:
                raise outcome
    except (Overload, ValueError):
        pass


async def test_it_counts_running_and_waiting_requests() -> None:
    of = limiter(most=1)
    visitor = Visitor(of)
    await asyncio.wait_for(visitor.inside.wait(), PATIENCE)
    late = asyncio.create_task(request(of))
    await let_others_run()
    assert (of.busy, of.waiting) == (1, 1)
    await visitor.leaves()
    await late
    assert (of.busy, of.waiting) == (0, 0)


async def let_others_run() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class Visitor:
    """A request that is in progress from `inside` until `leaves` is called."""

    def __init__(self, of: AdaptiveLimiter, outcome: type[Exception] | None = None) -> None:
        self._of, self._outcome = of, outcome
        self._leave = asyncio.Event()
        self.inside = asyncio.Event()
        self.task = asyncio.create_task(self._visit())

    async def _visit(self) -> None:
        async with self._of.slot(refused):
            self.inside.set()
            await self._leave.wait()
            if self._outcome:
                raise self._outcome

    def leave(self) -> None:
        self._leave.set()

    async def leaves(self) -> None:
        await asyncio.wait_for(self.inside.wait(), PATIENCE)
        self.leave()
        await asyncio.wait([self.task])
        self.task.exception()


async def crowd(of: AdaptiveLimiter, outcome: type[Exception] | None = None) -> None:
    """Runs one round: as many concurrent requests as the limit allows."""
    together = [Visitor(of, outcome) for _ in range(of.limit)]
    for visitor in together:
        await asyncio.wait_for(visitor.inside.wait(), PATIENCE)
    for visitor in together:
        visitor.leave()
    await asyncio.wait([visitor.task for visitor in together])


async def test_it_doubles_with_each_round_until_the_first_refusal() -> None:
    one = limiter(most=512, first=16)
    limits = []
    for _ in range(6):
        await crowd(one)
        limits.append(one.limit)
    assert limits == [32, 64, 128, 256, 512, 512]


async def test_after_a_refusal_it_halves_and_grows_by_one_a_round() -> None:
    one = limiter(most=512, first=16)
    await crowd(one)
    assert one.limit == 32
    await crowd(one, Overload)
    assert one.limit == 16
    for _ in range(10):
        await crowd(one)
    assert 24 <= one.limit <= 26


async def test_other_failures_change_nothing() -> None:
    one = limiter(most=512, first=16)
    await crowd(one, ValueError)
    assert one.limit == 16


async def test_it_does_not_grow_while_it_is_not_filled() -> None:
    one = limiter(most=512, first=16)
    for _ in range(100):
        await request(one)
    assert one.limit == 16


async def test_while_paused_no_request_is_admitted() -> None:
    clock, timers = HandClock(), Timers()
    one = AdaptiveLimiter(8, monotonic=clock, call_later=timers)
    one.pause(timedelta(seconds=2))
    one.pause(timedelta(seconds=1))
    assert one.pause_remaining == 2.0
    visitor = Visitor(one)
    await let_others_run()
    assert one.waiting == 1

    clock.now += 1.5
    timers.fire()
    await let_others_run()
    assert one.waiting == 1
    clock.now += 0.5
    timers.fire()
    await visitor.leaves()
    assert (one.pause_remaining, one.waiting) == (0.0, 0)


class Timers:
    """Calls back when the test fires."""

    def __init__(self) -> None:
        self._due: list[Callable[[], None]] = []

    def __call__(self, delay: float, callback: Callable[[], None]) -> None:
        self._due.append(callback)

    def fire(self) -> None:
        due, self._due = self._due, []
        for callback in due:
            callback()


@given(st.integers(1, 50), st.lists(st.sampled_from([None, Overload, ValueError])))
async def test_the_limit_stays_between_one_and_the_maximum(
    most: int, outcomes: list[type[Exception] | None]
) -> None:
    one = limiter(most)
    for outcome in outcomes:
        await request(one, outcome)
        assert 1 <= one.limit <= most


async def test_a_burst_of_refusals_halves_the_limit_once() -> None:
    one = limiter()
    together = [Visitor(one, Overload) for _ in range(8)]
    for visitor in together:
        await visitor.leaves()
    assert one.limit == 4


async def test_a_lower_limit_delays_new_and_waiting_requests() -> None:
    one = limiter(2)
    first, second, third, fourth = (Visitor(one, Overload) for _ in range(4))
    await let_others_run()
    assert [v.inside.is_set() for v in (first, second, third)] == [True, True, False]
    await first.leaves()
    await let_others_run()
    assert not third.inside.is_set()
    await second.leaves()
    await let_others_run()
    assert third.inside.is_set()
    assert not fourth.inside.is_set()
    await third.leaves()
    await fourth.leaves()


@pytest.mark.parametrize("cancelled", [0, 1])
async def test_a_cancelled_request_delays_no_other(cancelled: int) -> None:
    one = limiter(1)
    visitors = [Visitor(one) for _ in range(3)]
    await let_others_run()
    visitors[cancelled].task.cancel()
    await asyncio.wait([visitors[cancelled].task])
    for visitor in visitors:
        if visitor is not visitors[cancelled]:
            await visitor.leaves()
    await request(one)


async def test_the_place_of_a_request_cancelled_at_admission_goes_to_the_next() -> None:
    one = limiter(1)
    async with one.slot(refused):
        second, third = Visitor(one), Visitor(one)
        await let_others_run()
    second.task.cancel()
    await third.leaves()
