"""The interceptor's metrics of calls over the wire."""

from __future__ import annotations

from typing import Any

import grpc

from server.core.errors import MemoryNotFound
from server.telemetry.metrics import REGISTRY
from server.telemetry.recording import record_changes
from server.telemetry.statistics import Statistics
from tests.integration.api.harness import ADD, AUTHORIZED, AddResponse, Harness, add_request

METHOD = "memoir.v1.MemoryService/AddMemories"


def calls(method: str, code: str) -> float:
    labels = {"rpc_method": method, "rpc_response_status_code": code}
    return REGISTRY.get_sample_value("rpc_server_call_duration_seconds_count", labels) or 0.0


async def test_calls_are_counted_by_status(harness: Harness, statistics: Statistics) -> None:
    async def fail(request: Any, context: Any) -> Any:
        raise MemoryNotFound(request.user_id)

    before = calls(METHOD, "OK"), calls(METHOD, "NOT_FOUND")
    await harness.call()
    harness.service.add = fail
    await harness.call()
    await harness.wait_until_ended(2)
    assert (calls(METHOD, "OK"), calls(METHOD, "NOT_FOUND")) == (before[0] + 1, before[1] + 1)
    figures = statistics.figures("project").last_minute
    assert figures.methods[METHOD].codes == {"OK": 1, "NOT_FOUND": 1}
    assert {"authenticate", "validate", "admission"} <= set(figures.stages)


async def test_changes_are_counted_for_the_project_of_the_call(
    harness: Harness, statistics: Statistics
) -> None:
    async def add(request: Any, context: Any) -> Any:
        record_changes(added=3)
        return AddResponse()

    harness.service.add = add
    metadata = (*AUTHORIZED, ("x-correlation-id", "slow-one"))
    await harness.call(ADD, metadata=metadata)
    await harness.log("rpc.ended")
    figures = statistics.figures("project").last_minute
    assert figures.added == 3
    assert [call.correlation_id for call in figures.slowest] == ["slow-one"]


async def test_a_refused_call_is_counted_for_the_project_of_its_key(
    harness: Harness, statistics: Statistics
) -> None:
    refused = await harness.call(request=add_request(user_id="a" * 300))
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert (await harness.log("rpc.ended"))["project_id"] == "project"
    figures = statistics.figures("project").last_minute
    assert figures.methods[METHOD].codes == {"INVALID_ARGUMENT": 1}


async def test_a_call_without_a_key_is_counted_for_no_project(
    harness: Harness, statistics: Statistics
) -> None:
    before = calls(METHOD, "UNAUTHENTICATED")
    await harness.call(metadata=())
    await harness.log("rpc.ended")
    assert calls(METHOD, "UNAUTHENTICATED") == before + 1
    assert not statistics.figures("project").since_start.methods


async def test_unknown_methods_share_one_label(harness: Harness) -> None:
    before = calls("unknown", "UNAUTHENTICATED")
    await harness.call("/made.Up/One", metadata=())
    await harness.call("/made.Up/Two", metadata=())
    await harness.wait_until_ended(2)
    assert calls("unknown", "UNAUTHENTICATED") == before + 2
    assert calls("made.Up/One", "UNAUTHENTICATED") == 0
