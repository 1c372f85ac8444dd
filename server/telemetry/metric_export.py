"""Sends the metrics to an OpenTelemetry collector, if one is configured.

Names and attributes follow the semantic conventions where these define them. A backend that
translates them to Prometheus produces the names of `GET /metrics`.
https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/

The metrics that Prometheus reads are sent every OTEL_METRIC_EXPORT_INTERVAL milliseconds. Nothing
is queued: each export is the current state, so a slow or unavailable collector only blocks a thread
and misses some states.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from threading import Event, Thread
from typing import Final

import structlog
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.environment_variables import OTEL_METRIC_EXPORT_INTERVAL
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry
from prometheus_client import Metric as Family
from prometheus_client.samples import Sample

from server.telemetry.metrics import REGISTRY
from server.telemetry.otlp import LAST_CALLS_SECONDS, SERVICE_NAME, Signal, is_requested, resource

_NAMES: Final = {
    "rpc_server_call_duration_seconds": "rpc.server.call.duration",
    "gen_ai_client_operation_duration_seconds": "gen_ai.client.operation.duration",
}
_ATTRIBUTES: Final = {
    "rpc_method": "rpc.method",
    "rpc_response_status_code": "rpc.response.status_code",
    "gen_ai_operation_name": "gen_ai.operation.name",
    "gen_ai_request_model": "gen_ai.request.model",
    "error_type": "error.type",
}
_UNITS: Final = {"_seconds": "s", "_bytes": "By"}
_BOUND: Final = "le"
_NANOSECONDS: Final = 1e9


def to_metrics(families: Iterable[Family], began: int, now: int) -> Iterator[Metric]:
    """Yields the metrics at `now`, counted since `began`; both in nanoseconds since the epoch."""
    for family in families:
        name, unit = _name_and_unit(family.name)
        data = _data(family, began, now)
        if data.data_points:
            yield Metric(name, family.documentation, unit, data)


def _name_and_unit(name: str) -> tuple[str, str]:
    suffix = next((suffix for suffix in _UNITS if name.endswith(suffix)), "")
    own = name.removesuffix(suffix).replace("memoir_", "memoir.", 1)
    return _NAMES.get(name, own), _UNITS.get(suffix, "")


def _data(family: Family, began: int, now: int) -> Gauge | Histogram | Sum:
    cumulative = AggregationTemporality.CUMULATIVE
    if family.type == "histogram":
        return Histogram(
            [_distribution(samples, began, now) for samples in _by_labels(family.samples)],
            cumulative,
        )
    if family.type == "counter":
        counts = [sample for sample in family.samples if sample.name.endswith("_total")]
        return Sum(_numbers(counts, began, now), cumulative, is_monotonic=True)
    return Gauge(_numbers(family.samples, began, now))


def _numbers(samples: Iterable[Sample], began: int, now: int) -> list[NumberDataPoint]:
    return [
        NumberDataPoint(_attributes(sample.labels), began, now, sample.value) for sample in samples
    ]


def _by_labels(samples: Iterable[Sample]) -> Iterable[Sequence[Sample]]:
    """Groups the samples by distribution."""
    groups: dict[tuple[tuple[str, str], ...], list[Sample]] = {}
    for sample in samples:
        labels = ((name, value) for name, value in sample.labels.items() if name != _BOUND)
        groups.setdefault(tuple(labels), []).append(sample)
    return groups.values()


def _distribution(samples: Sequence[Sample], began: int, now: int) -> HistogramDataPoint:
    buckets = [sample for sample in samples if _BOUND in sample.labels]
    values = {sample.name.rpartition("_")[2]: sample.value for sample in samples}
    below = [0, *(int(bucket.value) for bucket in buckets)]
    return HistogramDataPoint(
        attributes=_attributes(samples[0].labels),
        start_time_unix_nano=began,
        time_unix_nano=now,
        count=below[-1],
        sum=values["sum"],
        bucket_counts=[upper - lower for lower, upper in pairwise(below)],
        explicit_bounds=[float(bucket.labels[_BOUND]) for bucket in buckets[:-1]],
        min=None,  # type: ignore[arg-type]  # not known, and optional in the protocol
        max=None,  # type: ignore[arg-type]  # as above
        exemplars=list(_exemplars(buckets)),
    )


def _exemplars(buckets: Iterable[Sample]) -> Iterator[Exemplar]:
    for bucket in buckets:
        found = bucket.exemplar
        if found is not None and found.timestamp is not None:
            yield Exemplar(
                {},
                float(found.value),
                int(float(found.timestamp) * _NANOSECONDS),
                span_id=int(found.labels["span_id"], 16),
                trace_id=int(found.labels["trace_id"], 16),
            )


def _attributes(labels: Mapping[str, str]) -> dict[str, str]:
    """Leaves out empty attributes, which Prometheus treats as absent too."""
    return {
        _ATTRIBUTES.get(name, name): value
        for name, value in labels.items()
        if value and name != _BOUND
    }


DEFAULT_INTERVAL_SECONDS: Final = 60.0

log: structlog.stdlib.BoundLogger = structlog.get_logger("server.metrics")


class MetricSender:
    """Sends the metrics in `registry` every `interval` seconds, from a thread, until closed."""

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
        self._thread.join(LAST_CALLS_SECONDS)
        # Ends a request in progress, and with it the thread.
        self._exporter.shutdown()

    def _run(self) -> None:
        while not self._closing.wait(self._interval):
            self._send()
        self._send()

    def _send(self) -> None:
        try:
            self._exporter.export(self._state())
        except Exception as error:
            # The next state may be sent.
            log.error("metrics.not_sent", exc_info=error)

    def _state(self) -> MetricsData:
        metrics = list(to_metrics(self._registry.collect(), self._began, time.time_ns()))
        scope = ScopeMetrics(InstrumentationScope(SERVICE_NAME), metrics, schema_url="")
        return MetricsData([ResourceMetrics(self._resource, [scope], schema_url="")])


def configure_metric_export(service_version: str) -> MetricSender | None:
    """Starts sending metrics if the environment configures it; returns the sender, else None."""
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
    """Returns the seconds between two exports; invalid values fall back to the default."""
    try:
        seconds = float(environment.get(OTEL_METRIC_EXPORT_INTERVAL, "")) / 1000
    except ValueError:
        return DEFAULT_INTERVAL_SECONDS
    return seconds if seconds > 0 else DEFAULT_INTERVAL_SECONDS
