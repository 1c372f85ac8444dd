"""Tasks that run beside the server for as long as it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager


@asynccontextmanager
async def running(name: str, work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Runs `work` during the block and cancels it at its end.

    Raises:
        Exception: what `work` failed with, if it did, at the end of the block.
    """
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        await _ended(task)


async def _ended(task: asyncio.Task[None]) -> None:
    done, _ = await asyncio.wait([task])
    for ended in done:
        if not ended.cancelled() and (error := ended.exception()) is not None:
            raise error
