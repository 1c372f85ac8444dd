"""Work in threads: an event loop of its own, and computations on many items."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import copy_context
from typing import Any, Final, ParamSpec, TypeVar

Opened = TypeVar("Opened")


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
