"""Stopping a server during calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2

from server.api.grpc.health import READINESS
from server.runtime import lifecycle
from server.runtime.lifecycle import drain
from tests.integration.api.harness import (
    ADD,
    AUTHORIZED,
    GENERATE,
    WRITE,
    Harness,
    Held,
    Outcome,
    add_request,
)

LONG = 30.0
SERVING = health_pb2.HealthCheckResponse.SERVING


async def test_a_call_that_was_accepted_is_answered_and_a_new_one_refused(
    harness: Harness,
) -> None:
    harness.service.add = held = Held()
    accepted = asyncio.create_task(harness.call())
    await held.entered.wait()
    draining = asyncio.create_task(drain(harness.server, harness.health, harness.gate, LONG))
    refused = await refusal(harness)
    assert refused.reason == "SHUTTING_DOWN"
    assert refused.code is grpc.StatusCode.UNAVAILABLE
    assert refused.trailer("x-correlation-id")
    assert not draining.done()
    held.let_go.set()
    assert (await accepted).responses[0].consistency_token == "kept"
    await draining
    assert (await harness.log("server.stopped"))["cut_off"] == 0


async def refusal(harness: Harness) -> Outcome:
    """Returns the drain's first refusal, which comes before the key of a call is read."""
    async with asyncio.timeout(20):
        while (outcome := await harness.call(metadata=())).reason == "API_KEY_INVALID":
            pass
    return outcome


async def test_endpoints_have_time_to_notice_before_calls_are_refused(harness: Harness) -> None:
    draining = asyncio.create_task(drain(harness.server, harness.health, harness.gate, LONG, LONG))
    raw = health_pb2.HealthCheckRequest(service=READINESS).SerializeToString()
    send: Any = harness.channel.unary_unary("/grpc.health.v1.Health/Check")
    async with asyncio.timeout(20):
        while health_pb2.HealthCheckResponse.FromString(await send(raw)).status == SERVING:
            pass
    assert (await harness.call()).code is grpc.StatusCode.OK
    draining.cancel()


@pytest.mark.parametrize("method", [GENERATE, WRITE])
async def test_a_stream_is_waited_for_too(harness: Harness, method: str) -> None:
    held = Held()

    async def generate(request: Any, context: Any) -> AsyncIterator[Any]:
        yield await held(request, context)

    async def write(request: Any, context: Any) -> None:
        await context.write(await held(request, context))

    harness.service.stream, harness.service.write = generate, write
    accepted = asyncio.create_task(harness.stream(method))
    await held.entered.wait()
    assert harness.gate.in_flight == 1
    draining = asyncio.create_task(drain(harness.server, harness.health, harness.gate, LONG))
    await refusal(harness)
    held.let_go.set()
    assert len((await accepted).responses) == 1
    await draining


async def test_a_call_that_does_not_end_in_time_is_cut_off(harness: Harness) -> None:
    harness.service.add = held = Held()
    accepted = asyncio.create_task(harness.call())
    await held.entered.wait()
    async with asyncio.timeout(20):
        await drain(harness.server, harness.health, harness.gate, 0.2)
    ended = await accepted
    assert (ended.code, ended.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    assert ended.detail(error_details_pb2.RetryInfo) is not None
    assert (await harness.log("server.stopped"))["cut_off"] == 1


async def test_calls_after_the_last_answer_are_still_refused_with_a_reason(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "QUIET_SECONDS", LONG)
    monkeypatch.setattr(lifecycle, "LAST_CALLS_SECONDS", LONG)
    harness.service.add = held = Held()
    accepted = asyncio.create_task(harness.call())
    await held.entered.wait()
    draining = asyncio.create_task(drain(harness.server, harness.health, harness.gate, LONG))
    await refusal(harness)
    held.let_go.set()
    await accepted
    assert (await harness.call()).reason == "SHUTTING_DOWN"
    draining.cancel()


async def test_under_load_every_call_is_served_or_refused(harness: Harness) -> None:
    outcomes: list[grpc.StatusCode] = []
    busy = asyncio.Barrier(9)

    async def keep_calling() -> None:
        raw = add_request().SerializeToString()
        await busy.wait()
        while True:
            send: Any = harness.channel.unary_unary(ADD)
            try:
                await send(raw, metadata=AUTHORIZED)
            except grpc.aio.AioRpcError as error:
                outcomes.append(error.code())
                return

    callers = [asyncio.create_task(keep_calling()) for _ in range(8)]
    await busy.wait()
    await drain(harness.server, harness.health, harness.gate, LONG)
    await asyncio.gather(*callers)
    assert outcomes == [grpc.StatusCode.UNAVAILABLE] * 8
