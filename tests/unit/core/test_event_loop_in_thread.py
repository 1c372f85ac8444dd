"""An event loop in a thread keeps something open for a block, and reports its failures."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

import pytest

from server.core.background import in_thread

PATIENCE_SECONDS = 5.0
PLACE: ContextVar[str] = ContextVar("place", default="")


@asynccontextmanager
async def recorded(seen: list[str]) -> AsyncIterator[asyncio.Event]:
    """Records the thread and the context in which it is opened and closed."""
    seen.append(f"opened in {threading.current_thread().name} of {PLACE.get()}")
    try:
        yield asyncio.Event()
    finally:
        seen.append(f"closed in {threading.current_thread().name}")


async def test_it_is_opened_and_closed_in_the_thread_with_the_callers_context() -> None:
    seen: list[str] = []
    PLACE.set("worker 3")
    async with in_thread("other", recorded(seen)):
        assert seen == ["opened in other_0 of worker 3"]
    assert seen[1:] == ["closed in other_0"]
    assert "other_0" not in {thread.name for thread in threading.enumerate()}


async def test_its_loop_works_while_the_callers_loop_is_blocked() -> None:
    called = threading.Event()
    async with in_thread("other", recorded([])) as (event, loop):
        loop.call_soon_threadsafe(event.set)
        loop.call_soon_threadsafe(called.set)
        assert called.wait(PATIENCE_SECONDS)
        assert event.is_set()


@asynccontextmanager
async def failing(*, at_once: bool) -> AsyncIterator[None]:
    if at_once:
        raise ZeroDivisionError
    yield
    raise ZeroDivisionError


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_failure_to_open_or_close_is_raised(at_once: bool) -> None:
    entered = False
    with pytest.raises(ZeroDivisionError):
        async with in_thread("other", failing(at_once=at_once)):
            entered = True
    assert entered != at_once


async def test_it_is_closed_if_the_block_fails() -> None:
    seen: list[str] = []
    with pytest.raises(ZeroDivisionError):
        async with in_thread("other", recorded(seen)):
            raise ZeroDivisionError
    assert seen[1:] == ["closed in other_0"]


async def test_it_is_closed_if_the_caller_is_cancelled_before_it_is_open() -> None:
    seen: list[str] = []
    begun, may_open = threading.Event(), threading.Event()

    @asynccontextmanager
    async def slow() -> AsyncIterator[None]:
        begun.set()
        may_open.wait(PATIENCE_SECONDS)
        async with recorded(seen):
            yield

    async def keep_open() -> None:
        async with in_thread("other", slow()):
            await asyncio.Event().wait()

    task = asyncio.create_task(keep_open())
    await asyncio.to_thread(begun.wait, PATIENCE_SECONDS)
    task.cancel()
    await asyncio.sleep(0)
    may_open.set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert seen[1:] == ["closed in other_0"]
