"""Sending the metrics to an OpenTelemetry collector, where one is configured.

The same recording that Prometheus reads is sent every OTEL_METRIC_EXPORT_INTERVAL milliseconds.
Nothing waits to be sent: each time it is the state of that moment, so a collector that is slow or
away costs a thread that waits for it, and misses some states.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from threading import Event, Thread
from typing import Final

import structlog
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.environment_variables import OTEL_METRIC_EXPORT_INTERVAL
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricsData,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry

from server.telemetry.metric_points import to_metrics
from server.telemetry.metrics import REGISTRY
from server.telemetry.otlp import FAREWELL_SECONDS, SERVICE_NAME, Signal, is_requested, resource

DEFAULT_INTERVAL_SECONDS: Final = 60.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger("server.metrics")


class MetricSender:
    """Sends what `registry` holds every `interval` seconds, from a thread, until it is closed."""

    def __init__(
        self,
        exporter: MetricExporter,
        registry: CollectorRegistry,
        described: Resource,
        interval: float,
    ) -> None:
        self._exporter = exporter
        self._registry = registry
        self._resource = described
        self._interval = interval
        self._began = time.time_ns()
        self._closing = Event()
        self._thread = Thread(target=self._run, name="metric export", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Sends once more and stops. Blocks for a few seconds at most: call it in a thread."""
        self._closing.set()
        self._thread.join(FAREWELL_SECONDS)
        # Ends a request that is under way, and with it the thread.
        self._exporter.shutdown()

    def _run(self) -> None:
        while not self._closing.wait(self._interval):
            self._send()
        self._send()

    def _send(self) -> None:
        try:
            self._exporter.export(self._state())
        except Exception as error:  # noqa: BLE001 - the next state may be sent
            _log.error("metrics.not_sent", exc_info=error)

    def _state(self) -> MetricsData:
        metrics = list(to_metrics(self._registry.collect(), self._began, time.time_ns()))
        scope = ScopeMetrics(InstrumentationScope(SERVICE_NAME), metrics, schema_url="")
        return MetricsData([ResourceMetrics(self._resource, [scope], schema_url="")])


def configure_metric_export(service_version: str) -> MetricSender | None:
    """Sends metrics from now on if the environment asks for it; answers who does, else None."""
    if not is_requested(Signal.METRICS, os.environ):
        return None
    return MetricSender(
        OTLPMetricExporter(), REGISTRY, resource(service_version), interval_of(os.environ)
    )


def shutdown_metric_export(sender: MetricSender | None) -> None:
    """Sends once more and stops. Blocks for a few seconds at most, so call it in a thread."""
    if sender is not None:
        sender.close()


def interval_of(environment: Mapping[str, str]) -> float:
    """The seconds between two exports; what is no positive number is the default."""
    try:
        seconds = float(environment.get(OTEL_METRIC_EXPORT_INTERVAL, "")) / 1000
    except ValueError:
        return DEFAULT_INTERVAL_SECONDS
    return seconds if seconds > 0 else DEFAULT_INTERVAL_SECONDS
