"""Background work: named tasks, event loops in threads, waking, leases, pauses, computations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from contextvars import Context, copy_context
from datetime import timedelta
from typing import Any, Final, ParamSpec, TypeVar

Opened = TypeVar("Opened")


@asynccontextmanager
async def running(name: str, work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Runs `work` during the block and cancels it at its end.

    Raises:
        Exception: whatever `work` raised, at the end of the block.
    """
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error


@asynccontextmanager
async def in_thread(
    name: str, opened: AbstractAsyncContextManager[Opened]
) -> AsyncIterator[tuple[Opened, asyncio.AbstractEventLoop]]:
    """Keeps `opened` open during the block, on an event loop in a thread of its own.

    Its tasks need not wait behind those of this loop. Yields what `opened` yields, and the loop in
    the thread; `loop.call_soon_threadsafe` calls it there.

    Raises:
        Exception: whatever opening or closing it raises.
    """
    here = asyncio.get_running_loop()
    entered: Future[tuple[Opened, asyncio.AbstractEventLoop]] = Future()
    left: Future[None] = Future()

    async def keep_open() -> None:
        async with opened as value:
            entered.set_result((value, asyncio.get_running_loop()))
            await asyncio.wrap_future(left)

    def run() -> None:
        with asyncio.Runner(loop_factory=type(here)) as runner:
            runner.run(keep_open())

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix=name) as thread:
        ended = here.run_in_executor(thread, copy_context().run, run)
        waits: list[asyncio.Future[Any]] = [ended, asyncio.wrap_future(entered)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if not entered.done():
                await ended
            yield entered.result()
        finally:
            # The thread ends only then, even if this task is cancelled before `opened` is open.
            left.set_result(None)
            await ended


class Background:
    """Tasks of one name that run in the background, referenced until they end."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Returns the number of tasks that have not ended."""
        return len(self._tasks)

    def start(
        self,
        work: Coroutine[Any, Any, None],
        *,
        context: Context | None = None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        """Starts a task, in this context if one is given; calls `on_end` when it has ended."""

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            on_end()

        task = asyncio.get_running_loop().create_task(work, name=self._name, context=context)
        self._tasks.add(task)
        task.add_done_callback(ended)

    async def finish(self) -> None:
        """Waits until all tasks have ended, including tasks that start in the meantime."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def cancel(self) -> None:
        """Cancels the tasks and waits until they have ended."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)


class Wakeup:
    """Ends the wait of a worker that polls, because there may be something to do.

    A worker calls `clear` before it looks for work, so that no later work is missed.
    """

    def __init__(self, poll_interval: timedelta) -> None:
        self._seconds = poll_interval.total_seconds()
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wakes the worker, now or when it waits next."""
        self._event.set()

    @property
    def is_set(self) -> bool:
        """Whether the worker was woken since it last called `clear`. Any thread may ask."""
        return self._event.is_set()

    def clear(self) -> None:
        """Forgets earlier calls of `set`."""
        self._event.clear()

    async def wait(self) -> None:
        """Waits until it is woken or the next poll is due."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._seconds):
                await self._event.wait()


async def keep_lease(
    renew: Callable[[], Awaitable[bool]],
    length: timedelta,
    on_failure: Callable[[Exception], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    *,
    is_due: bool = False,
) -> None:
    """Renews a lease after every third of its length, and returns once it is lost.

    `renew` returns whether the lease is still held. If it fails, `on_failure` logs the error; the
    next renewal may succeed. With `is_due`, the first renewal is made at once.
    """
    is_held = True
    while is_held:
        if not is_due:
            await sleep(length.total_seconds() / 3)
        is_due = False
        try:
            is_held = await renew()
        except Exception as error:  # noqa: BLE001 - the lease lasts for two more renewals
            on_failure(error)


async def give_back(release: Awaitable[object], seconds: float) -> None:
    """Tries to end a lease early, so that others need not wait for it to expire."""
    with suppress(Exception):
        async with asyncio.timeout(seconds):
            await release


FEW_ITEMS: Final = 50
"""Up to this many messages or memories are processed in the event loop, in a few milliseconds."""

P = ParamSpec("P")
R = TypeVar("R")


async def in_thread_if_many(
    items: int, act: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
) -> R:
    """Calls `act`, in a thread if it has more than `FEW_ITEMS` to process.

    A thread lets the event loop do other work every few milliseconds, but starting one costs more
    than processing a few items.

    Raises:
        Exception: whatever `act` raises.
    """
    if items <= FEW_ITEMS:
        return act(*args, **kwargs)
    return await asyncio.to_thread(act, *args, **kwargs)


_MAX_DOUBLINGS = 16
Pause = TypeVar("Pause", float, timedelta)


def backoff(attempts: int, shortest: Pause, longest: Pause, jitter: float) -> Pause:
    """Returns the pause after an attempt: it doubles each time, from `shortest` up to `longest`.

    `jitter`, from 0 to 1, picks a point between half of that pause and all of it, so that clients
    do not retry at the same moment.
    """
    doublings = min(max(attempts - 1, 0), _MAX_DOUBLINGS)
    return min(shortest * (1 << doublings), longest) * (0.5 + jitter / 2)
