"""Inspecting and signalling processes."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress

import psutil

POLL_SECONDS = 0.05


async def eventually(
    condition: Callable[[], Awaitable[bool]], seconds: float, what: str = "the condition"
) -> None:
    """Returns once the condition holds.

    Raises:
        AssertionError: it does not hold within `seconds`.
    """
    try:
        async with asyncio.timeout(seconds):
            # The condition changes in another process, so there is no event to wait for.
            while not await condition():  # noqa: ASYNC110
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise AssertionError(f"{what} did not come true within {seconds:g} s") from None


def descendants(pid: int) -> list[psutil.Process]:
    """Returns the current descendants of a process."""
    return psutil.Process(pid).children(recursive=True)


def signal_all(processes: list[psutil.Process], number: signal.Signals) -> None:
    """Sends the signal to the processes that have not ended."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def still_running(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Returns the processes that have not ended."""
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
