"""Serving metrics over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.request import Request, urlopen

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from server.telemetry import metrics
from server.telemetry.exposition import serving_metrics


def read(port: int) -> str:
    request = Request(
        f"http://127.0.0.1:{port}/metrics", headers={"Accept": "application/openmetrics-text"}
    )
    with urlopen(request, timeout=5) as answer:
        return str(answer.read().decode())


async def test_metrics_are_served_as_openmetrics() -> None:
    with serving_metrics("127.0.0.1", 0, "1.2.3") as port:
        text = await asyncio.to_thread(read, port)
    parsed: Any = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    families = {family.name for family in parsed}
    assert {"memoir_build_info", "rpc_server_call_duration_seconds"} <= families
    assert "process_resident_memory_bytes" in families


async def test_an_occupied_port_is_an_error() -> None:
    with (
        serving_metrics("127.0.0.1", 0, "1") as port,
        pytest.raises(OSError, match="MEMOIR_METRICS_PORT"),
        serving_metrics("127.0.0.1", port, "1"),
    ):
        pass


def test_no_label_has_a_value_chosen_by_clients() -> None:
    allowed = {
        "rpc_method", "rpc_response_status_code", "stage", "gen_ai_operation_name",
        "gen_ai_request_model", "error_type", "model", "direction", "arm", "outcome", "type",
        "state", "reason", "dependency", "version",
    }  # fmt: skip
    found = {
        label for metric in vars(metrics).values() for label in getattr(metric, "_labelnames", ())
    }
    assert found == allowed
