"""Metrics are sent periodically, and a hanging collector delays nothing."""

from __future__ import annotations

from threading import Event

import pytest
from opentelemetry.sdk.metrics.export import (
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, Counter
from structlog.testing import capture_logs

from server.telemetry import metric_export
from server.telemetry.metric_export import MetricSender, configure_metric_export, interval_of

PATIENCE_SECONDS = 10.0
SOON = 0.001


class Exporter(MetricExporter):
    """Records what is sent. Until `answers` is set, it hangs until it is shut down."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__()
        self.sent: list[list[Metric]] = []
        self.arrived = Event()
        self.answers = Event()
        self.answers.set()
        self.failures = failures
        self.sent_before_the_end = -1

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: object
    ) -> MetricExportResult:
        self.arrived.set()
        self.answers.wait(PATIENCE_SECONDS)
        if self.failures:
            self.failures -= 1
            raise OSError
        metrics = metrics_data.resource_metrics[0].scope_metrics[0].metrics
        self.sent.append(list(metrics))
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **_: object) -> None:
        self.sent_before_the_end = len(self.sent)
        self.answers.set()


@pytest.fixture
def counter() -> Counter:
    return Counter("calls", "Calls.", registry=None)


def sender(exporter: Exporter, counter: Counter, interval: float) -> MetricSender:
    registry = CollectorRegistry()
    registry.register(counter)
    return MetricSender(exporter, registry, Resource({}), interval)


def counted(metrics: list[Metric]) -> float:
    (metric,) = metrics
    assert isinstance(metric.data, Sum)
    return metric.data.data_points[0].value


def test_the_last_state_is_sent_at_the_end(counter: Counter) -> None:
    exporter = Exporter()
    sending = sender(exporter, counter, interval=3600)
    counter.inc(2)
    sending.close()
    assert [counted(metrics) for metrics in exporter.sent] == [2]


def test_metrics_are_sent_again_after_a_failure(counter: Counter) -> None:
    exporter = Exporter(failures=1)
    with capture_logs() as lines:
        sending = sender(exporter, counter, SOON)
        assert exporter.arrived.wait(PATIENCE_SECONDS)
        sending.close()
    assert [line["event"] for line in lines] == ["metrics.not_sent"]
    assert exporter.sent


def test_a_hanging_collector_does_not_delay_the_end(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metric_export, "LAST_CALLS_SECONDS", SOON)
    exporter = Exporter()
    exporter.answers.clear()
    sending = sender(exporter, counter, SOON)
    assert exporter.arrived.wait(PATIENCE_SECONDS)
    sending.close()
    assert exporter.sent_before_the_end == 0


def test_nothing_is_sent_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    assert configure_metric_export("1") is None


@pytest.mark.parametrize(
    ("text", "seconds"), [("250", 0.25), ("", 60.0), ("soon", 60.0), ("0", 60.0), ("-5", 60.0)]
)
def test_the_environment_sets_the_interval(text: str, seconds: float) -> None:
    assert interval_of({"OTEL_METRIC_EXPORT_INTERVAL": text}) == seconds
