"""Long work that pauses so that others can use the event loop."""

from __future__ import annotations

import asyncio
from itertools import count

from server.core.pacing import STEPS, TURNS_BETWEEN_STARTS, Pace, SpacedStarts

AN_HOUR = 3600.0


async def let_others_run() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_all_waiting_steps_take_turns() -> None:
    pace = Pace(lambda: 0.0)
    made: list[str] = []

    async def work(name: str) -> None:
        for _ in range(STEPS):
            await pace.step()
            made.append(name)

    await asyncio.gather(work("a"), work("b"), work("c"))
    assert made == ["a", "b", "c"] * STEPS


async def test_long_work_is_followed_by_a_long_pause() -> None:
    worked = count(step=AN_HOUR)
    pace = Pace(lambda: next(worked))
    steps = [asyncio.create_task(pace.step()) for _ in range(STEPS + 1)]
    await asyncio.wait(steps[:STEPS])
    await let_others_run()
    assert not steps[STEPS].done()
    steps[STEPS].cancel()


async def test_short_work_continues_without_a_pause() -> None:
    pace = Pace(lambda: 0.0)
    steps = [asyncio.create_task(pace.step()) for _ in range(3 * STEPS)]
    await let_others_run()
    assert all(step.done() for step in steps)


async def test_a_cancelled_step_delays_no_other() -> None:
    pace = Pace(lambda: 0.0)
    first, second = (asyncio.create_task(pace.step()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await second
    await pace.step()
    assert first.cancelled()


async def test_calls_of_a_tenant_start_some_turns_of_the_loop_apart() -> None:
    starts = SpacedStarts()
    began: list[tuple[str, int]] = []
    turn = 0

    async def call(tenant: str) -> None:
        await starts.start(tenant)
        began.append((tenant, turn))

    calls = [asyncio.create_task(call(tenant)) for tenant in ("busy", "busy", "quiet", "busy")]
    calls[1].cancel()
    for turn in range(4 * TURNS_BETWEEN_STARTS):  # noqa: B007 - the calls read it
        await asyncio.sleep(0)
    assert [tenant for tenant, _ in began] == ["busy", "quiet", "busy"]
    assert [at for _, at in began[:2]] == [0, 0]
    assert TURNS_BETWEEN_STARTS <= began[2][1] <= TURNS_BETWEEN_STARTS + 3
    await asyncio.wait_for(starts.start("busy"), 1.0)
