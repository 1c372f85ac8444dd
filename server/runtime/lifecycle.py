"""Start and end of a serving process: signals to stop, garbage, threads, and the drain."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

import grpc
import structlog

from server.api.grpc.health import HealthService
from server.api.grpc.interceptors.drain import DrainGate

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
EXIT_STATUS_OF_SECOND_SIGNAL = 130

FULL_COLLECTIONS: Final = 100
"""A full collection follows this number of medium ones; Python's default is 10."""

# gRPC cancels calls that arrive while it stops. So before it stops, calls are refused with a proper
# error until no call has arrived for a moment, or a time limit is reached.
QUIET_SECONDS = 0.2
LAST_CALLS_SECONDS = 1.0
CUT_SECONDS = 0.5
"""The part of the grace period reserved for error responses to calls that have not ended."""

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class StopSignals:
    """Turns the first SIGTERM or SIGINT into an event; the second ends the process at once.

    Embedded databases end with the process, which is safe because they tolerate being killed.
    """

    def __init__(self) -> None:
        self._stop = asyncio.Event()

    def install(self) -> None:
        """Takes over the signals in the running event loop."""
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._on_signal)

    async def wait(self) -> None:
        """Waits until the process receives a signal to stop."""
        await self._stop.wait()

    def _on_signal(self) -> None:
        if self._stop.is_set():
            os._exit(EXIT_STATUS_OF_SECOND_SIGNAL)
        self._stop.set()


def relax_garbage_collector() -> None:
    """Makes the garbage collector stop the process for a short time only. Call it once it serves.

    Modules, settings and connections live as long as the process, so they are excluded from
    collections. Calls leave few cycles behind, so full collections, which look at everything that
    is cached, can be rare. The others stay frequent, because each looks at all objects that are new
    since the last one: 10,000 of them stop every call for ten milliseconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*gc.get_threshold()[:2], FULL_COLLECTIONS)


def use_one_thread() -> None:
    """Makes `asyncio.to_thread` run everything in a single thread.

    It is used for Python work, such as reading a large request, which several threads do no
    faster. But each running thread holds the interpreter for some milliseconds before the event
    loop gets it again, so a single thread delays other calls least.
    """
    threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="large-work")
    asyncio.get_running_loop().set_default_executor(threads)


async def drain(
    server: grpc.aio.Server,
    health: HealthService,
    gate: DrainGate,
    seconds: float,
    delay: float = 0.0,
) -> None:
    """Reports not ready and, `delay` seconds later, refuses new calls and stops the server.

    Accepted calls then have `seconds` to finish. Calls that take longer are ended with an error
    shortly before that time is up.
    """
    await health.enter_drain()
    await asyncio.sleep(delay)
    end = time.monotonic() + seconds
    gate.close()
    log.info("server.draining", seconds=seconds, calls=gate.in_flight)
    await _within(seconds - min(CUT_SECONDS, seconds / 2), gate.idle())
    cut_off = gate.cut()
    await _within(max(0.0, end - time.monotonic()), gate.idle())
    await _within(_time_left(end), gate.quiet(QUIET_SECONDS))
    await server.stop(_time_left(end))
    log.info("server.stopped", cut_off=cut_off)


def _time_left(end: float) -> float:
    return max(0.0, min(LAST_CALLS_SECONDS, end - time.monotonic()))


async def _within(seconds: float, wait: Coroutine[object, object, None]) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(wait, seconds)
