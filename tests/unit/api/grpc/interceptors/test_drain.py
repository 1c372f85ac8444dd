"""The gate for calls, and the order of the steps of a drain."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

import pytest

from server.api.grpc.health import HealthService
from server.api.grpc.interceptors.drain import DrainGate
from server.core.transient_errors import ShuttingDown
from server.runtime import lifecycle
from server.runtime.lifecycle import drain
from tests.unit.api.grpc.calls import AUTHORIZED, Wire, context_on, entry, method

LONG = 30.0


class StoppingServer:
    """Remembers how it was stopped, and with how many calls in flight."""

    def __init__(self, gate: DrainGate) -> None:
        self._gate = gate
        self.stops: list[tuple[float, int]] = []

    async def stop(self, grace: float) -> None:
        self.stops.append((grace, self._gate.in_flight))


@pytest.fixture
def gate() -> DrainGate:
    return DrainGate()


async def through(gate: DrainGate, path: str, proceed: Any) -> Any:
    context = context_on(Wire(AUTHORIZED))
    return await entry(gate=gate).intercept(method(path), b"", context, proceed)


class Held:
    """A call that is in flight until it is released."""

    def __init__(self, gate: DrainGate) -> None:
        self.let_go = asyncio.Event()
        self.task = asyncio.create_task(self._run(gate))

    async def _run(self, gate: DrainGate) -> None:
        with gate.admitted():
            await self.let_go.wait()


async def held(gate: DrainGate) -> Held:
    """A call that has entered."""
    call = Held(gate)
    await turns()
    return call


async def turns() -> None:
    """Lets all ready tasks run."""
    for _ in range(100):
        await asyncio.sleep(0)


async def drained(gate: DrainGate, seconds: float) -> list[tuple[float, int]]:
    server: Any = StoppingServer(gate)
    await drain(server, HealthService(), gate, seconds)
    stops: list[tuple[float, int]] = server.stops
    return stops


async def test_a_call_is_counted_until_it_ends(gate: DrainGate) -> None:
    async def proceed(_request: Any, _context: Any) -> int:
        return gate.in_flight

    assert await through(gate, "/s.S/M", proceed) == 1
    assert gate.in_flight == 0


@pytest.mark.parametrize("error", [ValueError(), asyncio.CancelledError()])
async def test_a_failed_call_counts_as_ended(gate: DrainGate, error: BaseException) -> None:
    async def proceed(_request: Any, _context: Any) -> Any:
        raise error

    with pytest.raises(type(error)):
        await through(gate, "/s.S/M", proceed)
    assert gate.in_flight == 0
    await asyncio.wait_for(gate.idle(), 0.1)


async def test_a_closed_gate_lets_only_health_and_reflection_pass(gate: DrainGate) -> None:
    async def proceed(_request: Any, _context: Any) -> int:
        return gate.in_flight

    gate.close()
    for service in ("grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"):
        assert await through(gate, f"/{service}/M", proceed) == 0
    with pytest.raises(ShuttingDown):
        await through(gate, "/s.S/M", proceed)


async def test_idle_waits_for_the_last_call(gate: DrainGate) -> None:
    first, second = await held(gate), await held(gate)
    assert gate.in_flight == 2
    waiting = asyncio.create_task(gate.idle())
    first.let_go.set()
    await turns()
    assert not waiting.done()
    second.let_go.set()
    await waiting


async def test_every_refusal_restarts_the_quiet_period(gate: DrainGate) -> None:
    gate.close()
    await gate.quiet(0.05)
    with pytest.raises(ShuttingDown), gate.admitted():
        pass
    refused = time.monotonic()
    await gate.quiet(0.05)
    assert time.monotonic() - refused >= 0.045


async def test_the_server_is_stopped_when_no_call_is_in_flight(
    gate: DrainGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "QUIET_SECONDS", 0.0)
    call = await held(gate)
    draining = asyncio.create_task(drained(gate, LONG))
    await turns()
    assert not draining.done()
    call.let_go.set()
    ((grace, in_flight),) = await draining
    assert in_flight == 0
    assert grace == lifecycle.LAST_CALLS_SECONDS


async def test_a_call_that_does_not_end_in_time_is_ended_with_the_reason(gate: DrainGate) -> None:
    call = await held(gate)
    ((_, in_flight),) = await drained(gate, 0.05)
    assert in_flight == 0
    with pytest.raises(ShuttingDown):
        await call.task


async def test_the_server_is_stopped_in_time_despite_calls_in_flight(gate: DrainGate) -> None:
    never = asyncio.Event()

    async def ignore_cancellation(_request: Any, _context: Any) -> None:
        while not never.is_set():
            with suppress(asyncio.CancelledError):
                await never.wait()

    task = asyncio.create_task(through(gate, "/s.S/M", ignore_cancellation))
    await turns()
    assert await drained(gate, 0.01) == [(0.0, 1)]
    never.set()
    await task


async def test_a_call_cancelled_by_its_client_does_not_report_a_drain(gate: DrainGate) -> None:
    call = await held(gate)
    call.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call.task


async def test_endless_refusals_do_not_delay_the_stop_forever(
    gate: DrainGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "QUIET_SECONDS", LONG)
    monkeypatch.setattr(lifecycle, "LAST_CALLS_SECONDS", 0.01)
    ((_, in_flight),) = await asyncio.wait_for(drained(gate, LONG), 20)
    assert in_flight == 0
