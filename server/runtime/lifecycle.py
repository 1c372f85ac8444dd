"""Readiness, signals to stop, stopping without losing accepted calls, garbage and threads."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

import grpc
import structlog

from server.api.grpc.interceptors.drain import DrainGate
from server.api.grpc.server import HealthService
from server.core.errors import MemoirError
from server.core.transient_errors import StoreUnavailable
from server.maintenance import EmbedderConflict, StoreMaintenance, embedder_fault
from server.models.ports import Embedder

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
EXIT_STATUS_OF_SECOND_SIGNAL = 130

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


INTERVAL_SECONDS: Final = 1.0
CHECK_SECONDS: Final = 2.0


class ReadinessProbe:
    """Checks that PostgreSQL answers, has the current schema and was written by this embedder.

    Neo4j and the model provider are not checked: without them the service degrades, but serves.
    """

    def __init__(
        self,
        store: StoreMaintenance,
        embedder: Embedder,
        set_ready: Callable[[bool], Awaitable[None]],
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._set_ready = set_ready
        self._last_fault: str | None = "not checked yet"

    async def fault(self) -> str | None:
        """Returns None if calls can be served, else the reason and what to do."""
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                return await self._store.schema_fault() or await embedder_fault(
                    self._store, self._embedder
                )
        except TimeoutError:
            return f"PostgreSQL did not answer within {CHECK_SECONDS:g} s"
        except MemoirError as error:
            return error.message
        except Exception as error:  # noqa: BLE001 - a probe that ended would leave an outdated state
            return f"the store cannot be checked: {error!r}"

    async def refuse_other_embedder(self) -> None:
        """Raises an error if another embedder wrote the store.

        An unreachable store is no reason to refuse: the probe checks it again.

        Raises:
            EmbedderConflict: the store was written by another embedder.
        """
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                if await self._store.schema_fault() is None:
                    conflict = await embedder_fault(self._store, self._embedder)
                    if conflict is not None:
                        raise EmbedderConflict(conflict)
        except (TimeoutError, StoreUnavailable):
            return

    async def check(self) -> None:
        """Checks once, updates the health service, and logs changes."""
        fault = await self.fault()
        if fault != self._last_fault:
            if fault is None:
                log.info("readiness.ready")
            else:
                log.warning("readiness.not_ready", reason=fault)
        self._last_fault = fault
        await self._set_ready(fault is None)

    async def run(self) -> None:
        """Checks every second until cancelled."""
        while True:
            await self.check()
            await asyncio.sleep(INTERVAL_SECONDS)


FULL_COLLECTIONS: Final = 100
"""A full collection follows this number of medium ones; Python's default is 10."""


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


# gRPC cancels calls that arrive while it stops. So before it stops, calls are refused with a proper
# error until no call has arrived for a moment, or a time limit is reached.
QUIET_SECONDS = 0.2
LAST_CALLS_SECONDS = 1.0
CUT_SECONDS = 0.5
"""The part of the grace period reserved for error responses to calls that have not ended."""


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
