"""Long computations next to the event loop."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from server.core.background import FEW_ITEMS, in_thread_if_many
from server.core.request_context import RequestContext, current_request
from tests.support.request_context import in_request


async def test_few_items_are_processed_on_the_event_loop() -> None:
    assert await in_thread_if_many(FEW_ITEMS, threading.get_ident) == threading.get_ident()


async def test_many_items_are_processed_in_another_thread() -> None:
    assert await in_thread_if_many(FEW_ITEMS + 1, threading.get_ident) != threading.get_ident()


async def test_the_thread_has_the_context_of_the_call() -> None:
    context = RequestContext("c-1", deadline=float("inf"))

    async def call() -> RequestContext:
        return await in_thread_if_many(FEW_ITEMS + 1, current_request)

    assert await in_request(context, call) == context


@pytest.mark.parametrize("items", [1, FEW_ITEMS + 1])
async def test_errors_are_raised_to_the_caller(items: int) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        await in_thread_if_many(items, int, "x")


async def test_the_event_loop_keeps_running() -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    def work() -> int:
        end = time.perf_counter() + 0.2
        before = ticks
        while time.perf_counter() < end:
            pass
        return ticks - before

    ticking = asyncio.create_task(tick())
    assert await in_thread_if_many(FEW_ITEMS + 1, work) > 1
    ticking.cancel()
