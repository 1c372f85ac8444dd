"""Metrics arrive at a collector, and lead to the spans that arrive there too."""

from __future__ import annotations

from memoir.v1 import memory_service_pb2

from tests.support.collector import attributes_of
from tests.support.measurements import add
from tests.support.processes import eventually
from tests.support.traced_server import Traced

SECONDS = 30.0
ADD = "memoir.v1.MemoryService/AddMemories"


async def test_metrics_arrive_with_exemplars_of_the_spans(traced: Traced) -> None:
    await add(traced.client, "I work at Acme.")
    receiver = traced.collector.metrics

    async def has_arrived() -> bool:
        return bool(receiver.requests) and "rpc.server.call.duration" in receiver.latest

    await eventually(has_arrived, SECONDS, "the duration of the call")
    await traced.server.stop()
    found = receiver.latest
    (calls,) = [
        point
        for point in found["rpc.server.call.duration"].histogram.data_points
        if attributes_of(point) == {"rpc.method": ADD, "rpc.response.status_code": "OK"}
    ]
    assert calls.count == 1
    (exemplar,) = calls.exemplars
    (span,) = traced.collector.named(ADD)
    assert (exemplar.trace_id.hex(), exemplar.span_id.hex()) == (span.trace_id, span.span_id)
    assert found["rpc.server.call.duration"].unit == "s"
    assert {"memoir.stage_duration", "memoir.model_tokens", "memoir.dependency_up"} <= set(found)
    assert receiver.resource["service.name"] == "memoir"
    assert receiver.resource["service.instance.id"]


async def test_a_hanging_collector_delays_nothing(traced: Traced) -> None:
    traced.collector.answers.clear()
    await traced.collector.metrics.asked.wait()
    request = memory_service_pb2.ListMemoriesRequest(user_id="alice")
    await traced.client.memory.ListMemories(request, metadata=traced.client.metadata)
    assert await traced.server.stop() == 0
