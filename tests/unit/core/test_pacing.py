"""Long work that pauses so that others can use the event loop."""

from __future__ import annotations

import asyncio
from itertools import count, pairwise

from server.core.pacing import TURNS_BETWEEN_STEPS, Pace, Paces

AN_HOUR = 3600.0


async def let_others_run() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_waiting_steps_take_turns() -> None:
    pace = Pace(worked=lambda: 0.0)
    made: list[str] = []

    async def work(name: str) -> None:
        for _ in range(3):
            await pace.step()
            made.append(name)

    await asyncio.gather(work("a"), work("b"), work("c"))
    assert made == ["a", "b", "c"] * 3


async def test_long_work_is_followed_by_a_long_pause() -> None:
    worked = count(step=AN_HOUR)
    pace = Pace(worked=lambda: next(worked))
    first, second = (asyncio.create_task(pace.step()) for _ in range(2))
    await first
    await let_others_run()
    assert not second.done()
    second.cancel()


async def test_short_work_continues_without_a_pause() -> None:
    pace = Pace(worked=lambda: 0.0)
    steps = [asyncio.create_task(pace.step()) for _ in range(5)]
    await let_others_run()
    assert all(step.done() for step in steps)


async def test_a_cancelled_step_delays_no_other() -> None:
    pace = Pace(worked=lambda: 0.0)
    first, second = (asyncio.create_task(pace.step()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await second
    await pace.step()
    assert first.cancelled()


async def test_steps_are_some_turns_of_the_loop_apart() -> None:
    pace = Pace(turns=TURNS_BETWEEN_STEPS, worked=lambda: 0.0)
    made: list[int] = []
    turn = 0

    async def work() -> None:
        await pace.step()
        made.append(turn)

    steps = [asyncio.create_task(work()) for _ in range(3)]
    for turn in range(4 * TURNS_BETWEEN_STEPS):  # noqa: B007 - the steps read it
        await asyncio.sleep(0)
    assert all(step.done() for step in steps)
    assert all(later - earlier > TURNS_BETWEEN_STEPS for earlier, later in pairwise(made))


async def test_tenants_do_not_wait_for_each_other() -> None:
    paces = Paces()
    busy = [asyncio.create_task(paces.step("busy")) for _ in range(3)]
    quiet = asyncio.create_task(paces.step("quiet"))
    await asyncio.wait([busy[0], quiet])
    assert not busy[1].done()
    await asyncio.wait(busy)
