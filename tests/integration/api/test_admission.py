"""Excess calls are refused over the wire, with a reason and a delay; health is answered."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2

from server.api.grpc.admission import AdmissionLimits
from server.core.request_context import current_tenant, take_turn
from tests.integration.api.harness import (
    ADD,
    GET,
    AddResponse,
    GetRequest,
    Harness,
    Held,
    Outcome,
    add_request,
)

ID = "00000000-0000-4000-8000-000000000000"
HEALTH = "/grpc.health.v1.Health/Check"
ORG = (("authorization", "Token mem_org"),)
BUSY, QUIET_STEPS = 12, 20


def delay(outcome: Outcome) -> timedelta:
    info = outcome.detail(error_details_pb2.RetryInfo)
    assert info is not None
    waited: timedelta = info.retry_delay.ToTimedelta()
    return waited


@pytest.mark.parametrize(
    "limits", [AdmissionLimits(concurrency=2, writes=1, queue=0)], indirect=True
)
async def test_beyond_the_limits_a_call_is_refused_with_a_delay(harness: Harness) -> None:
    harness.service.add = held = Held()
    first = asyncio.create_task(harness.call(ADD))
    await held.entered.wait()
    refused = await harness.call(ADD, b"\xff not even a message")
    assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refused.reason == "OVERLOADED"
    assert delay(refused) > timedelta(0)
    assert refused.trailer("x-correlation-id")

    second = asyncio.create_task(harness.call(GET, GetRequest(id=ID), timeout=20))
    raw = health_pb2.HealthCheckRequest().SerializeToString()
    send: Any = harness.channel.unary_unary(HEALTH)
    assert await send(raw)
    held.let_go.set()
    assert (await first).code is grpc.StatusCode.OK
    assert (await second).code is grpc.StatusCode.OK
    assert (await harness.call(ADD)).code is grpc.StatusCode.OK


@pytest.mark.parametrize(
    "limits", [AdmissionLimits(concurrency=1, writes=1, queue=0)], indirect=True
)
async def test_a_call_without_a_key_takes_no_place_and_does_not_learn_the_load(
    harness: Harness,
) -> None:
    """Calls are admitted by the rate of their project, so it must be known before."""
    harness.service.add = held = Held()
    first = asyncio.create_task(harness.call(ADD))
    await held.entered.wait()
    for metadata in ((), (("authorization", "Token mem_unknown"),)):
        refused = await harness.call(ADD, metadata=metadata)
        assert refused.code is grpc.StatusCode.UNAUTHENTICATED
    assert (await harness.call(ADD)).reason == "OVERLOADED"
    held.let_go.set()
    assert (await first).code is grpc.StatusCode.OK
    assert not harness.admission.running


@pytest.mark.parametrize(
    "limits", [AdmissionLimits(concurrency=1, writes=1, queue=1, queue_seconds=60)], indirect=True
)
async def test_a_call_that_waits_is_served_when_there_is_room(harness: Harness) -> None:
    harness.service.add = held = Held()
    first = asyncio.create_task(harness.call(ADD))
    await held.entered.wait()
    second = asyncio.create_task(harness.call(ADD))
    async with asyncio.timeout(20):
        while not harness.admission.waiting:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0)
    assert (await harness.call(ADD)).reason == "OVERLOADED"
    held.let_go.set()
    assert (await first).code is (await second).code is grpc.StatusCode.OK


@pytest.mark.parametrize("rate", [0.001], indirect=True)
async def test_a_project_beyond_its_rate_gets_a_retry_delay(harness: Harness) -> None:
    assert (await harness.call(ADD)).code is grpc.StatusCode.OK
    refused = await harness.call(ADD)
    assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refused.reason == "RATE_LIMITED"
    assert timedelta(seconds=900) < delay(refused) <= timedelta(seconds=1000)


@pytest.mark.parametrize("rate", [0.001], indirect=True)
async def test_a_call_with_an_organizations_key_counts_for_the_project_it_names(
    harness: Harness,
) -> None:
    def get(project_id: str) -> GetRequest:
        return GetRequest(id=ID, project_id=project_id)

    assert (await harness.call(GET, get("a"), ORG)).code is grpc.StatusCode.OK
    assert (await harness.call(GET, get("a"), ORG)).reason == "RATE_LIMITED"
    assert (await harness.call(GET, get("b"), ORG)).code is grpc.StatusCode.OK


class Stepping:
    """A handler that records each step; calls of the busy project go on until they are stopped."""

    def __init__(self) -> None:
        self.steps: list[str | None] = []
        self.begun = 0
        self.is_stopped = False

    async def __call__(self, _request: Any, _context: Any) -> Any:
        self.begun += 1
        is_quiet, own = current_tenant() == "org", 0
        while own < QUIET_STEPS if is_quiet else not self.is_stopped:
            await take_turn()
            self.steps.append(current_tenant())
            own += 1
            await asyncio.sleep(0)
        return AddResponse()


async def test_between_steps_of_a_quiet_project_a_busy_one_takes_at_most_two(
    harness: Harness,
) -> None:
    harness.service.add = stepping = Stepping()
    async with asyncio.timeout(60):
        quiet = add_request(project_id="quiet")
        await harness.call(ADD, quiet, ORG)
        busy = [asyncio.create_task(harness.call(ADD)) for _ in range(BUSY)]
        while stepping.begun <= BUSY:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0)
        stepping.steps.clear()
        assert (await harness.call(ADD, quiet, ORG)).code is grpc.StatusCode.OK
        stepping.is_stopped = True
        assert {(await call).code for call in busy} == {grpc.StatusCode.OK}
    own = [number for number, tenant in enumerate(stepping.steps) if tenant == "org"]
    assert len(own) == QUIET_STEPS
    assert max(later - earlier for earlier, later in pairwise(own)) <= 3
