"""Tasks in the background, waking a worker, and keeping a lease."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

from server.core.background import Background, Wakeup, give_back, keep_lease

HOUR = timedelta(hours=1)


async def test_tasks_are_counted_and_named_until_they_end() -> None:
    background, go, ends = Background("made-up"), asyncio.Event(), list[int]()
    background.start(_until(go), on_end=lambda: ends.append(len(background)))
    assert len(background) == 1
    assert "made-up" in {task.get_name() for task in asyncio.all_tasks()}
    go.set()
    await background.finish()
    assert (len(background), ends) == (0, [0])


async def test_cancelling_waits_until_the_tasks_have_ended() -> None:
    background, ends = Background("made-up"), list[None]()
    for _ in range(2):
        background.start(_until(asyncio.Event()), on_end=lambda: ends.append(None))
    await background.cancel()
    assert len(ends) == 2
    assert not len(background)


async def test_a_wake_before_the_wait_is_not_lost() -> None:
    wakeup = Wakeup(HOUR)
    wakeup.set()
    async with asyncio.timeout(20):
        await wakeup.wait()
    wakeup.clear()
    waiting = asyncio.create_task(wakeup.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    wakeup.set()
    async with asyncio.timeout(20):
        await waiting


async def test_a_worker_polls_without_being_woken() -> None:
    async with asyncio.timeout(20):
        await Wakeup(timedelta(0)).wait()


async def test_a_lease_is_renewed_until_it_is_lost_despite_failures() -> None:
    outcomes: Iterator[bool | Exception] = iter([True, ConnectionError("away"), True, False])
    slept, failed = list[float](), list[Exception]()

    async def renew() -> bool:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    await keep_lease(renew, timedelta(seconds=6), failed.append, sleep)
    assert slept == [2.0] * 4
    assert [str(error) for error in failed] == ["away"]


async def test_releasing_a_lease_neither_fails_nor_waits_long() -> None:
    await give_back(_fail(), 5)
    async with asyncio.timeout(20):
        await give_back(_until(asyncio.Event()), 0.01)


async def _until(event: asyncio.Event) -> None:
    await event.wait()


async def _fail() -> None:
    raise ConnectionError
