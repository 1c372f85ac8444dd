"""Each recorded value reaches the metrics, the tally and the span."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from prometheus_client.openmetrics.exposition import generate_latest

from server.telemetry.metrics import REGISTRY
from server.telemetry.recording import (
    model_call,
    record_cache_read,
    record_changes,
    record_search_arm,
    record_tokens,
    stage,
)
from server.telemetry.tally import begin_tally, current_tally, tallied


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_stage_is_timed_for_the_process_and_the_call() -> None:
    before = sample("memoir_stage_duration_seconds_count", stage="test")
    with tallied() as tally, stage("test"):
        pass
    assert sample("memoir_stage_duration_seconds_count", stage="test") == before + 1
    [(name, seconds)] = tally.stages
    assert name == "test"
    assert seconds >= 0


def test_a_failing_stage_is_timed_and_raises() -> None:
    with tallied() as tally, pytest.raises(ValueError, match="no"), stage("test"):
        raise ValueError("no")
    assert len(tally.stages) == 1


def test_outside_a_call_only_metrics_are_recorded() -> None:
    assert current_tally() is None
    with stage("test"):
        pass


async def test_all_tasks_of_a_call_share_its_tally() -> None:
    async def step() -> None:
        with stage("test"):
            pass

    async def call() -> int:
        tally = begin_tally()
        await asyncio.gather(step(), step())
        return len(tally.stages)

    assert list(await asyncio.gather(call(), call())) == [2, 2]


def test_a_measurement_of_a_traced_call_has_its_trace() -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("t")
    with tracer.start_as_current_span("rpc") as span, stage("traced"):
        pass
    trace_id = trace.format_trace_id(span.get_span_context().trace_id)
    shown = generate_latest(REGISTRY).decode()  # type: ignore[no-untyped-call]  # its annotations are partial
    [line, *_] = [line for line in shown.splitlines() if 'stage="traced"' in line and "#" in line]
    assert f'trace_id="{trace_id}"' in line


def test_other_values_are_counted_in_metrics_and_tally() -> None:
    with tallied() as tally:
        with pytest.raises(OSError, match="away"), model_call("m", "embeddings"):
            raise OSError("away")
        record_tokens("m", 3, 4)
        record_search_arm("graph", ran=False)
        record_changes(added=2, updated=1)
        record_cache_read(hit=True)
        record_cache_read(hit=False)
    [call] = tally.model_calls
    assert (call.model, call.failed) == ("m", True)
    assert (tally.added, tally.updated, tally.deleted) == (2, 1, 0)
    assert (tally.cache_hits, tally.cache_misses) == (1, 1)
    assert tally.arms == [("graph", False)]
    assert sample("memoir_model_tokens_total", model="m", direction="output") >= 4
    labels = {"gen_ai_operation_name": "embeddings", "gen_ai_request_model": "m"}
    failed = sample(
        "gen_ai_client_operation_duration_seconds_count", error_type="OSError", **labels
    )
    assert failed >= 1


def test_a_short_stage_is_an_event_of_the_current_span() -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("t")
    with tracer.start_as_current_span("rpc") as span, stage("validate", is_brief=True):
        assert trace.get_current_span() is span
    assert isinstance(span, ReadableSpan)
    [event] = span.events
    assert event.name == "validate"
    assert (event.attributes or {})["memoir.seconds"] >= 0  # type: ignore[operator]  # a number
