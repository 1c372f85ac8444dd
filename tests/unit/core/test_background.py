"""Background work ends with the server, and its failures are raised."""

from __future__ import annotations

import asyncio

import pytest

from server.core.background import running

PATIENCE = 5.0


class Work:
    """Runs until it is cancelled or made to fail."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.fail = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def run(self) -> None:
        self.started.set()
        try:
            await self.fail.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        raise ZeroDivisionError


async def test_work_runs_during_the_block_and_ends_with_it() -> None:
    work = Work()
    async with running("work", work.run()):
        await asyncio.wait_for(work.started.wait(), PATIENCE)
        assert not work.cancelled.is_set()
        assert "work" in {task.get_name() for task in asyncio.all_tasks()}
    assert work.cancelled.is_set()
    assert "work" not in {task.get_name() for task in asyncio.all_tasks()}


async def test_failed_work_raises_at_the_end_of_the_block() -> None:
    work = Work()

    async def block() -> None:
        async with running("work", work.run()):
            work.fail.set()
            await let_it_end("work")

    with pytest.raises(ZeroDivisionError):
        await block()


async def test_completed_work_is_not_an_error() -> None:
    async def short() -> None:
        await asyncio.sleep(0)

    async with running("work", short()):
        await let_it_end("work")


async def test_work_ends_when_the_block_fails() -> None:
    work = Work()

    async def block() -> None:
        async with running("work", work.run()):
            await work.started.wait()
            raise KeyError

    with pytest.raises(KeyError):
        await block()
    assert work.cancelled.is_set()


async def let_it_end(name: str) -> None:
    tasks = [task for task in asyncio.all_tasks() if task.get_name() == name]
    await asyncio.wait(tasks, timeout=PATIENCE)
