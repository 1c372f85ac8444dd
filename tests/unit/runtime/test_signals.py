"""Stopping on signals, which this process sends to itself."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from server.runtime.lifecycle import EXIT_STATUS_OF_SECOND_SIGNAL, STOP_SIGNALS, StopSignals

PATIENCE = 5.0


@pytest_asyncio.fixture
async def stop() -> AsyncIterator[StopSignals]:
    """Handles the signals during the test."""
    stop = StopSignals()
    stop.install()
    yield stop
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().remove_signal_handler(number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_signal_asks_to_stop(stop: StopSignals, number: signal.Signals) -> None:
    waiting = asyncio.create_task(stop.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    os.kill(os.getpid(), number)
    await asyncio.wait_for(waiting, PATIENCE)


async def test_later_waiters_return_at_once(stop: StopSignals) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(stop.wait(), PATIENCE)
    await asyncio.wait_for(stop.wait(), PATIENCE)


async def test_the_second_signal_ends_the_process_at_once(
    stop: StopSignals, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = asyncio.Event()
    statuses: list[int] = []

    def end(status: int) -> None:
        statuses.append(status)
        ended.set()

    monkeypatch.setattr("server.runtime.lifecycle.os._exit", end)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(stop.wait(), PATIENCE)
    assert statuses == []
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(ended.wait(), PATIENCE)
    assert statuses == [EXIT_STATUS_OF_SECOND_SIGNAL]
