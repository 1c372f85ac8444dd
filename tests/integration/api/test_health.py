"""Health and reflection with all interceptors, without a key."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from server.api.grpc.health import LIVENESS, READINESS
from tests.integration.api.harness import Harness

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN

pytestmark = pytest.mark.parametrize(
    "provider", [True, False], ids=["traced", "untraced"], indirect=True
)


def _stub(harness: Harness) -> Any:
    make: Any = health_pb2_grpc.HealthStub
    return make(harness.channel)


async def _check(harness: Harness, service: str) -> int:
    request = health_pb2.HealthCheckRequest(service=service)
    return int((await _stub(harness).Check(request)).status)


async def test_it_is_alive_at_once_and_ready_when_set(harness: Harness) -> None:
    assert await _check(harness, LIVENESS) == SERVING
    assert await _check(harness, READINESS) == NOT_SERVING
    await harness.health.set_ready(True)
    assert await _check(harness, READINESS) == SERVING
    await harness.health.set_ready(False)
    assert await _check(harness, READINESS) == NOT_SERVING
    assert await _check(harness, LIVENESS) == SERVING


async def test_a_drain_is_final(harness: Harness) -> None:
    await harness.health.set_ready(True)
    await harness.health.enter_drain()
    await harness.health.set_ready(True)
    assert await _check(harness, LIVENESS) == NOT_SERVING
    assert await _check(harness, READINESS) == NOT_SERVING


async def test_an_unknown_service_is_not_found(harness: Harness) -> None:
    call = _stub(harness).Check(health_pb2.HealthCheckRequest(service="nobody"))
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    assert "x-correlation-id" in dict(raised.value.trailing_metadata())


async def test_all_services_are_listed(harness: Harness) -> None:
    listed = await _stub(harness).List(health_pb2.HealthListRequest())
    assert {name: item.status for name, item in listed.statuses.items()} == {
        LIVENESS: SERVING,
        READINESS: NOT_SERVING,
    }


async def test_watchers_see_every_change_and_the_drain(harness: Harness) -> None:
    watch = _stub(harness).Watch(health_pb2.HealthCheckRequest(service=READINESS))
    async with asyncio.timeout(20):
        seen = [(await watch.read()).status]
        await harness.health.set_ready(True)
        seen.append((await watch.read()).status)
        await harness.health.enter_drain()
        seen.append((await watch.read()).status)
    assert seen == [NOT_SERVING, SERVING, NOT_SERVING]
    watch.cancel()
    entry = await harness.log("rpc.ended")
    assert (entry["log_level"], entry["code"]) == ("debug", "CANCELLED")


async def test_watching_an_unknown_service_reports_it_as_unknown(harness: Harness) -> None:
    watch = _stub(harness).Watch(health_pb2.HealthCheckRequest(service="nobody"))
    async with asyncio.timeout(20):
        assert (await watch.read()).status == SERVICE_UNKNOWN
    watch.cancel()


async def test_health_is_not_traced(harness: Harness) -> None:
    await _check(harness, LIVENESS)
    await harness.log("rpc.ended")
    assert harness.spans.get_finished_spans() == ()


async def test_reflection_needs_no_key(harness: Harness) -> None:
    make: Any = reflection_pb2_grpc.ServerReflectionStub
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    answers = [a async for a in make(harness.channel).ServerReflectionInfo(iter([request]))]
    assert [s.name for s in answers[0].list_services_response.service] == [
        "memoir.v1.MemoryService"
    ]
    assert (await harness.log("rpc.ended"))["log_level"] == "debug"
