"""Stopping without losing an accepted call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress

import grpc
import structlog

from server.api.grpc.interceptors.drain import DrainGate
from server.api.grpc.server import HealthService

# gRPC cancels what arrives while it stops. So calls are refused properly for as long as they
# arrive one after another, at most for a while, before it is told to.
QUIET_SECONDS = 0.2
LAST_CALLS_SECONDS = 1.0
CUT_SECONDS = 0.5
"""Of the grace period: for answers to calls that have not ended by then."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


async def drain(
    server: grpc.aio.Server,
    health: HealthService,
    gate: DrainGate,
    seconds: float,
    delay: float = 0.0,
) -> None:
    """Says not ready and, `delay` seconds later, refuses new calls and stops the server.

    Calls that were accepted have `seconds` from then on to finish. Those that do not are ended a
    little before, and told so.
    """
    await health.enter_drain()
    await asyncio.sleep(delay)
    end = time.monotonic() + seconds
    gate.close()
    _log.info("server.draining", seconds=seconds, calls=gate.in_flight)
    await _within(seconds - min(CUT_SECONDS, seconds / 2), gate.idle())
    cut_off = gate.cut()
    await _within(max(0.0, end - time.monotonic()), gate.idle())
    await _within(_time_left(end), gate.quiet(QUIET_SECONDS))
    await server.stop(_time_left(end))
    _log.info("server.stopped", cut_off=cut_off)


def _time_left(end: float) -> float:
    return max(0.0, min(LAST_CALLS_SECONDS, end - time.monotonic()))


async def _within(seconds: float, wait: Coroutine[object, object, None]) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(wait, seconds)
