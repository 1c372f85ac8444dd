"""Deadlines and cancellation."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

import grpc
import pytest
from opentelemetry.trace import StatusCode

from server.core.request_context import current_request
from tests.integration.api.harness import (
    ADD,
    AUTHORIZED,
    DEFAULT_SECONDS,
    GENERATE,
    WRITE,
    AddResponse,
    Harness,
    add_request,
)

FAR = float("inf")
# A client that sends back what it reads, with a deadline of a second.
CALL_ONCE = """
import grpc, sys
address, method, key = sys.argv[1:]
call = grpc.insecure_channel(address).unary_unary(method)
call(sys.stdin.buffer.read(), metadata=[("authorization", key)], timeout=1)
"""


class Blocking:
    """A handler that never ends by itself, and records how it ended."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def __call__(self, request: Any, context: Any) -> Any:
        self.entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


async def _remaining(request: Any, context: Any) -> Any:
    return AddResponse(consistency_token=str(current_request().remaining()))


@pytest.mark.parametrize(("timeout", "most"), [(5.0, 5.0), (None, DEFAULT_SECONDS)])
async def test_the_deadline_is_the_clients_else_the_default(
    harness: Harness, timeout: float | None, most: float
) -> None:
    harness.service.add = _remaining
    outcome = await harness.call(timeout=timeout)
    left = float(outcome.responses[0].consistency_token)
    # gRPC rounds timeouts up on the wire.
    assert most - 2 < left < most + 0.1


@pytest.mark.parametrize("default_seconds", [0.05], indirect=True)
async def test_the_default_deadline_ends_the_work(harness: Harness) -> None:
    harness.service.add = blocking = Blocking()
    async with asyncio.timeout(20):
        outcome = await harness.call()
    assert outcome.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert outcome.reason == "DEADLINE_EXCEEDED"
    assert outcome.trailer("x-correlation-id")
    assert blocking.cancelled.is_set()


async def test_the_clients_deadline_ends_the_work(harness: Harness) -> None:
    harness.service.add = blocking = Blocking()
    outcome = await harness.call(timeout=0.2)
    assert outcome.code is grpc.StatusCode.DEADLINE_EXCEEDED
    async with asyncio.timeout(20):
        await blocking.cancelled.wait()
    assert (await harness.log("rpc.ended"))["code"] == "DEADLINE_EXCEEDED"
    span = await harness.span()
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["rpc.response.status_code"] == "DEADLINE_EXCEEDED"
    assert (span.attributes or {})["rpc.grpc.status_code"] == 4


async def test_the_clients_deadline_holds_when_the_client_is_frozen(harness: Harness) -> None:
    harness.service.add = blocking = Blocking()
    client = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CALL_ONCE, harness.address, ADD, AUTHORIZED[0][1]),
        stdin=asyncio.subprocess.PIPE,
    )
    try:
        assert client.stdin is not None
        client.stdin.write(add_request().SerializeToString())
        client.stdin.close()
        async with asyncio.timeout(20):
            await blocking.entered.wait()
            client.send_signal(signal.SIGSTOP)
            await blocking.cancelled.wait()
    finally:
        client.kill()
        await client.wait()
    assert (await harness.log("rpc.ended"))["code"] == "DEADLINE_EXCEEDED"


async def test_cancelling_a_unary_call_cancels_the_work(harness: Harness) -> None:
    harness.service.add = blocking = Blocking()
    raw = add_request().SerializeToString()
    send: Any = harness.channel.unary_unary(ADD)
    ongoing = send(raw, metadata=AUTHORIZED)
    await blocking.entered.wait()
    ongoing.cancel()
    async with asyncio.timeout(20):
        await blocking.cancelled.wait()
    assert (await harness.log("rpc.ended"))["code"] == "CANCELLED"
    span = await harness.span()
    assert (span.attributes or {})["rpc.response.status_code"] == "CANCELLED"
    assert (span.attributes or {})["rpc.grpc.status_code"] == 1
    assert not [entry for entry in harness.logs if entry["log_level"] == "error"]


@pytest.mark.parametrize("provider", [True, False], ids=["traced", "untraced"], indirect=True)
@pytest.mark.parametrize("method", [GENERATE, WRITE])
async def test_cancelling_a_stream_ends_it_in_its_own_task(harness: Harness, method: str) -> None:
    tasks: list[Any] = []
    ended = asyncio.Event()

    async def generate(request: Any, context: Any) -> Any:
        tasks.append(asyncio.current_task())
        try:
            yield AddResponse(consistency_token="a")
            await asyncio.Event().wait()
        finally:
            tasks.append(asyncio.current_task())
            ended.set()

    async def write(request: Any, context: Any) -> None:
        tasks.append(asyncio.current_task())
        try:
            await context.write(AddResponse(consistency_token="a"))
            await asyncio.Event().wait()
        finally:
            tasks.append(asyncio.current_task())
            ended.set()

    harness.service.stream, harness.service.write = generate, write
    raw = add_request().SerializeToString()
    send: Any = harness.channel.unary_stream(method)
    ongoing = send(raw, metadata=AUTHORIZED)
    assert await ongoing.read()
    ongoing.cancel()
    async with asyncio.timeout(20):
        await ended.wait()
    assert tasks[0] is tasks[1]
    assert (await harness.log("rpc.ended"))["code"] == "CANCELLED"


async def test_a_stream_is_not_bounded_by_default(harness: Harness) -> None:
    deadlines: list[float] = []

    async def generate(request: Any, context: Any) -> Any:
        deadlines.append(current_request().deadline)
        yield AddResponse()

    harness.service.stream = generate
    await harness.stream(GENERATE)
    assert deadlines == [FAR]
