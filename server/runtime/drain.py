"""Stops the server without losing accepted calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress

import grpc
import structlog

from server.api.grpc.interceptors.drain import DrainGate
from server.api.grpc.server import HealthService

# gRPC cancels calls that arrive while it stops. So before it is stopped, calls are refused with a
# proper error until none has arrived for a moment, or a time limit is reached.
QUIET_SECONDS = 0.2
LAST_CALLS_SECONDS = 1.0
CUT_SECONDS = 0.5
"""The part of the grace period reserved for responses to calls that have not ended by then."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


async def drain(
    server: grpc.aio.Server,
    health: HealthService,
    gate: DrainGate,
    seconds: float,
    delay: float = 0.0,
) -> None:
    """Reports not ready and, `delay` seconds later, refuses new calls and stops the server.

    Accepted calls have `seconds` from then on to finish. Calls that take longer are ended shortly
    before that time is up, with an error.
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
