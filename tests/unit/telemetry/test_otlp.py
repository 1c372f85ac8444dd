"""When data is sent to a collector, and under which service name."""

from __future__ import annotations

import pytest

from server.telemetry.otlp import Signal, is_requested, resource


@pytest.mark.parametrize("signal", Signal)
@pytest.mark.parametrize(
    ("environment", "requested"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317"}, True),
        ({"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT": "http://c:4317"}, True),
        ({"OTEL_{signal}_EXPORTER": "otlp"}, True),
        ({"OTEL_{signal}_EXPORTER": "console, otlp"}, True),
        ({"OTEL_{signal}_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, False),
        ({"OTEL_SDK_DISABLED": "True", "OTEL_{signal}_EXPORTER": "otlp"}, False),
    ],
)
def test_the_environment_decides_what_is_exported(
    signal: Signal, environment: dict[str, str], requested: bool
) -> None:
    named = {name.format(signal=signal): value for name, value in environment.items()}
    assert is_requested(signal, named) is requested


def test_each_signal_has_its_own_variables() -> None:
    assert not is_requested(Signal.METRICS, {"OTEL_TRACES_EXPORTER": "otlp"})
    endpoint = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c"}
    assert not is_requested(Signal.METRICS, endpoint)


def test_each_process_has_its_own_id(monkeypatch: pytest.MonkeyPatch) -> None:
    one = resource("1").attributes
    assert one["service.name"] == "memoir"
    assert one["service.instance.id"] == resource("1").attributes["service.instance.id"]
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=pod-7")
    assert resource("1").attributes["service.instance.id"] == "pod-7"
