"""Long work that pauses so that others can use the event loop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import pairwise

from server.core.pacing import TURNS_BETWEEN_STEPS, Pace, Paces

AN_HOUR, A_SECOND = 3600.0, 1.0
# Only a fault takes this long, however busy the machine is.
PATIENCE_SECONDS = 60.0


async def let_others_run() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def ended(*steps: asyncio.Task[None]) -> None:
    """Waits for steps; fails if one never ends."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*steps)


async def test_waiting_steps_take_turns() -> None:
    pace = Pace(worked=lambda: 0.0)
    made: list[str] = []

    async def work(name: str) -> None:
        for _ in range(3):
            await pace.step()
            made.append(name)

    await ended(*(asyncio.create_task(work(name)) for name in "abc"))
    assert made == ["a", "b", "c"] * 3


@dataclass
class Clocks:
    """The seconds that the loop's thread has worked, and those that have passed."""

    worked: float = 0.0
    passed: float = AN_HOUR

    def pace(self) -> Pace:
        return Pace(worked=lambda: self.worked, monotonic=lambda: self.passed)

    def work(self, seconds: float) -> None:
        self.worked += seconds
        self.passed += seconds


async def work_for(seconds: float, pace: Pace, clocks: Clocks) -> None:
    await pace.step()
    clocks.work(seconds)
    # The step ends here.
    await asyncio.sleep(0)


async def test_long_work_is_followed_by_as_much_other_work() -> None:
    clocks = Clocks()
    pace = clocks.pace()
    first = asyncio.create_task(work_for(A_SECOND, pace, clocks))
    second = asyncio.create_task(pace.step())
    await ended(first)
    for _ in range(2):
        await let_others_run()
        assert not second.done()
        clocks.work(A_SECOND * 0.6)
    await let_others_run()
    assert second.done()


async def test_a_pause_ends_when_the_loop_is_idle() -> None:
    clocks = Clocks()
    pace = clocks.pace()
    first = asyncio.create_task(work_for(A_SECOND, pace, clocks))
    second = asyncio.create_task(pace.step())
    await ended(first)
    await let_others_run()
    assert not second.done()
    clocks.passed += 0.001
    await let_others_run()
    assert second.done()


async def test_other_work_is_not_interrupted_by_steps() -> None:
    clocks = Clocks()
    pace = clocks.pace()
    first = asyncio.create_task(work_for(A_SECOND, pace, clocks))
    second = asyncio.create_task(pace.step())
    await ended(first)
    for _ in range(10):
        # Each turn has some work, so the loop is not idle.
        clocks.work(0.001)
        await asyncio.sleep(0)
    assert not second.done()
    clocks.work(A_SECOND)
    await ended(second)


async def test_who_works_less_than_others_does_not_wait() -> None:
    clocks = Clocks()
    pace = clocks.pace()
    for _ in range(5):
        await ended(asyncio.create_task(work_for(0.001, pace, clocks)))
        clocks.work(0.002)
        await asyncio.sleep(0)
    last = asyncio.create_task(pace.step())
    for _ in range(4):
        await asyncio.sleep(0)
    assert last.done()


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
    await ended(second, asyncio.create_task(pace.step()))
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
    await ended(busy[0], quiet)
    assert not busy[1].done()
    await ended(*busy)
