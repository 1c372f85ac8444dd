"""The limit follows what the provider bears."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.adapters.gemini.limiter import AdaptiveLimiter

PATIENCE = 5.0


class Overload(Exception):
    """Too many requests."""


def limiter(most: int = 8) -> AdaptiveLimiter:
    return AdaptiveLimiter(most, lambda error: isinstance(error, Overload))


async def request(of: AdaptiveLimiter, outcome: type[Exception] | None = None) -> None:
    try:
        async with of.slot():
            if outcome:
                raise outcome
    except (Overload, ValueError):
        pass


async def test_it_tells_how_many_are_under_way_and_wait() -> None:
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
    """A request that is under way from `inside` until it is told to leave."""

    def __init__(self, of: AdaptiveLimiter, outcome: type[Exception] | None = None) -> None:
        self._of, self._outcome = of, outcome
        self._leave = asyncio.Event()
        self.inside = asyncio.Event()
        self.task = asyncio.create_task(self._visit())

    async def _visit(self) -> None:
        async with self._of.slot():
            self.inside.set()
            await self._leave.wait()
            if self._outcome:
                raise self._outcome

    async def leaves(self) -> None:
        await asyncio.wait_for(self.inside.wait(), PATIENCE)
        self._leave.set()
        await asyncio.wait([self.task])
        self.task.exception()


async def test_overload_halves_and_successes_grow_by_one_a_round() -> None:
    one = limiter()
    await request(one, Overload)
    assert one.limit == 4
    for _ in range(4):
        await request(one)
    assert one.limit == 4
    await request(one)
    assert one.limit == 5
    await request(one, ValueError)
    assert one.limit == 5


@given(st.integers(1, 50), st.lists(st.sampled_from([None, Overload, ValueError])))
async def test_the_limit_stays_between_one_and_the_most(
    most: int, outcomes: list[type[Exception] | None]
) -> None:
    one = limiter(most)
    for outcome in outcomes:
        await request(one, outcome)
        assert 1 <= one.limit <= most


async def test_a_burst_of_refusals_halves_once() -> None:
    one = limiter()
    together = [Visitor(one, Overload) for _ in range(8)]
    for visitor in together:
        await visitor.leaves()
    assert one.limit == 4


async def test_a_lower_limit_holds_back_who_comes_and_who_waits() -> None:
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
async def test_who_is_cancelled_holds_nobody_up(cancelled: int) -> None:
    one = limiter(1)
    visitors = [Visitor(one) for _ in range(3)]
    await let_others_run()
    visitors[cancelled].task.cancel()
    await asyncio.wait([visitors[cancelled].task])
    for visitor in visitors:
        if visitor is not visitors[cancelled]:
            await visitor.leaves()
    await request(one)


async def test_who_is_cancelled_as_it_is_let_in_gives_the_place_on() -> None:
    one = limiter(1)
    async with one.slot():
        second, third = Visitor(one), Visitor(one)
        await let_others_run()
    second.task.cancel()
    await third.leaves()
