"""Concurrent callers with the same question share one computation."""

from __future__ import annotations

import asyncio
import time

import pytest

from server.core.caches import SharedAnswers
from server.core.request_context import RequestContext, current_request, enter_request
from server.core.transient_errors import StoreUnavailable
from tests.support.clocks import HandClock

SECONDS = 0.1


class Work:
    """Ends when `may_end` is set, with the number of its start, or with `fault`."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()
        self.fault: Exception | None = None
        self.deadlines: list[float] = []

    async def __call__(self, _key: str) -> int:
        self.begun += 1
        self.deadlines.append(current_request().deadline)
        number = self.begun
        await self.may_end.wait()
        if self.fault is not None:
            raise self.fault
        return number


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def clock() -> HandClock:
    return HandClock(1000.0)


@pytest.fixture
def answers(work: Work, clock: HandClock) -> SharedAnswers[str, int]:
    return SharedAnswers(work, SECONDS, clock)


async def until(work: Work, begun: int) -> None:
    while work.begun < begun:  # noqa: ASYNC110 - the work is begun by another task
        await asyncio.sleep(0)


async def test_concurrent_callers_get_one_answer(
    answers: SharedAnswers[str, int], work: Work, clock: HandClock
) -> None:
    asking = [asyncio.create_task(answers("a")) for _ in range(5)]
    await until(work, 1)
    # However long the work takes.
    clock.now += 10 * SECONDS
    asking += [asyncio.create_task(answers("a")), asyncio.create_task(answers("b"))]
    await until(work, 2)
    work.may_end.set()
    assert await asyncio.gather(*asking) == [1, 1, 1, 1, 1, 1, 2]


async def test_an_answer_is_reused_only_for_a_time(
    answers: SharedAnswers[str, int], work: Work, clock: HandClock
) -> None:
    work.may_end.set()
    assert await answers("a") == 1
    clock.now += SECONDS / 2
    assert await answers("a") == 1
    clock.now += SECONDS
    assert await answers("a") == 2


async def test_a_cancelled_caller_does_not_end_it_for_the_others(
    answers: SharedAnswers[str, int], work: Work
) -> None:
    async def hurried() -> int:
        enter_request(RequestContext("c", time.monotonic() + 1))
        return await answers("a")

    first = asyncio.create_task(hurried())
    await until(work, 1)
    second = asyncio.create_task(answers("a"))
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    work.may_end.set()
    assert await second == 1
    assert work.deadlines == [float("inf")]


async def test_an_error_is_raised_to_all_and_not_kept(
    answers: SharedAnswers[str, int], work: Work, clock: HandClock
) -> None:
    work.fault = StoreUnavailable()
    work.may_end.set()
    told = await asyncio.gather(*(answers("a") for _ in range(3)), return_exceptions=True)
    assert told == [work.fault] * 3
    assert work.begun == 1
    work.fault = None
    clock.now += SECONDS
    assert await answers("a") == 2


async def test_answers_that_nobody_needs_are_removed(
    answers: SharedAnswers[str, int], work: Work, clock: HandClock
) -> None:
    work.may_end.set()
    for number in range(50):
        await answers(f"project-{number}")
        clock.now += SECONDS
    assert len(answers._latest) == 1
