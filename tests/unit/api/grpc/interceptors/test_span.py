"""The span of a call that ended without a status."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import StatusCode

from server.api.grpc.interceptors.observation import ObservationInterceptor
from server.core.request_context import RequestContext, enter_request
from server.telemetry.statistics import Statistics
from tests.unit.api.grpc.calls import Wire, context_on, method


def observation() -> ObservationInterceptor:
    return ObservationInterceptor(Statistics(), lambda: datetime.now(UTC))


@pytest.mark.parametrize(
    ("seconds_left", "code", "status"),
    [
        (-0.01, "DEADLINE_EXCEEDED", StatusCode.ERROR),
        (0.01, "DEADLINE_EXCEEDED", StatusCode.ERROR),
        (5.0, "CANCELLED", StatusCode.UNSET),
        (float("inf"), "CANCELLED", StatusCode.UNSET),
    ],
)
@pytest.mark.parametrize(
    "error", [asyncio.CancelledError(), grpc.aio.InternalError("the client is gone")]
)
async def test_a_cancellation_near_the_deadline_counts_as_deadline_exceeded(
    error: BaseException, seconds_left: float, code: str, status: StatusCode
) -> None:
    async def cancelled(_request: Any, _context: Any) -> Any:
        enter_request(RequestContext("c", time.monotonic() + seconds_left))
        raise error

    async def call() -> None:
        await observation().intercept(method(), None, context_on(Wire()), cancelled)

    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("t")
    with tracer.start_as_current_span("rpc") as span:
        await asyncio.gather(call(), return_exceptions=True)
    assert span.is_recording() is False
    finished: Any = span
    assert finished.attributes["rpc.response.status_code"] == code
    assert finished.status.status_code is status


@pytest.mark.parametrize(
    ("peer", "address", "port"),
    [
        ("ipv4:10.2.1.1:57284", "10.2.1.1", 57284),
        ("ipv6:[::1]:57284", "::1", 57284),
        ("ipv6:%5Bfe80::1%5D:1", "fe80::1", 1),
        ("unix:/run/memoir", None, None),
        ("ipv4:nowhere", None, None),
        ("", None, None),
    ],
)
async def test_the_peer_is_recorded_if_it_has_an_address(
    peer: str, address: str | None, port: int | None
) -> None:
    async def answer(_request: Any, _context: Any) -> bytes:
        return b""

    wire = Wire((("user-agent", "grpc-go/1.80"),), peer)
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("t")
    with tracer.start_as_current_span("rpc") as span:
        await observation().intercept(method(), None, context_on(wire), answer)
    finished: Any = span
    assert finished.attributes.get("network.peer.address") == address
    assert finished.attributes.get("network.peer.port") == port
    assert finished.attributes["user_agent.original"] == "grpc-go/1.80"
