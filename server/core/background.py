"""Tasks in the background, which are named, referenced and ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import Context
from typing import Any


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
