"""Recorded values in terms of OpenTelemetry equal those of Prometheus."""

from __future__ import annotations

import pytest
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    Metric,
    MetricsData,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry
from prometheus_client import Counter as PrometheusCounter
from prometheus_client import Gauge as PrometheusGauge
from prometheus_client import Histogram as PrometheusHistogram

from server.telemetry.metric_export import to_metrics
from server.telemetry.metrics import REGISTRY

BEGAN, NOW = 1_000, 2_000


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def only(registry: CollectorRegistry) -> Metric:
    (metric,) = to_metrics(registry.collect(), BEGAN, NOW)
    return metric


def test_a_counter_is_a_monotonic_sum(registry: CollectorRegistry) -> None:
    counter = PrometheusCounter("memoir_model_tokens", "Tokens.", ["model"], registry=registry)
    counter.labels("m").inc(3)
    metric = only(registry)
    assert (metric.name, metric.unit, metric.description) == ("memoir.model_tokens", "", "Tokens.")
    assert isinstance(metric.data, Sum)
    assert metric.data.is_monotonic
    assert metric.data.aggregation_temporality is AggregationTemporality.CUMULATIVE
    (point,) = metric.data.data_points
    assert (point.value, point.attributes) == (3, {"model": "m"})
    assert (point.start_time_unix_nano, point.time_unix_nano) == (BEGAN, NOW)


def test_a_gauge_keeps_its_value_and_its_unit(registry: CollectorRegistry) -> None:
    PrometheusGauge("memoir_graph_lag_seconds", "Lag.", registry=registry).set(1.5)
    metric = only(registry)
    assert (metric.name, metric.unit) == ("memoir.graph_lag", "s")
    assert isinstance(metric.data, Gauge)
    assert [point.value for point in metric.data.data_points] == [1.5]


def test_a_histogram_counts_each_bucket_separately(registry: CollectorRegistry) -> None:
    histogram = PrometheusHistogram(
        "rpc_server_call_duration_seconds",
        "Calls.",
        ["rpc_method", "rpc_response_status_code"],
        buckets=(1, 2),
        registry=registry,
    )
    for seconds in 0.5, 0.5, 1.5, 7.0:
        histogram.labels("Add", "OK").observe(seconds)
    histogram.labels("Get", "OK").observe(2.0)
    metric = only(registry)
    assert (metric.name, metric.unit) == ("rpc.server.call.duration", "s")
    assert isinstance(metric.data, Histogram)
    add, get = metric.data.data_points
    assert add.attributes == {"rpc.method": "Add", "rpc.response.status_code": "OK"}
    assert (add.count, add.sum, add.bucket_counts) == (4, 9.5, [2, 1, 1])
    assert add.explicit_bounds == [1.0, 2.0]
    assert (get.count, get.bucket_counts) == (1, [0, 1, 0])


def test_an_empty_attribute_is_left_out(registry: CollectorRegistry) -> None:
    counter = PrometheusCounter("calls", "Calls.", ["error_type"], registry=registry)
    counter.labels("").inc()
    counter.labels("OSError").inc()
    data = only(registry).data
    assert isinstance(data, Sum)
    assert [point.attributes for point in data.data_points] == [{}, {"error.type": "OSError"}]


def test_an_exemplar_has_its_span(registry: CollectorRegistry) -> None:
    histogram = PrometheusHistogram("x_seconds", "X.", buckets=(1,), registry=registry)
    histogram.observe(0.5, {"trace_id": "a" * 32, "span_id": "b" * 16})
    data = only(registry).data
    assert isinstance(data, Histogram)
    ((exemplar,),) = [point.exemplars for point in data.data_points]
    assert (exemplar.trace_id, exemplar.span_id) == (int("a" * 32, 16), int("b" * 16, 16))
    assert exemplar.value == 0.5


def test_metrics_without_values_are_left_out(registry: CollectorRegistry) -> None:
    PrometheusCounter("calls", "Calls.", ["reason"], registry=registry)
    assert not list(to_metrics(registry.collect(), BEGAN, NOW))


def test_the_whole_recording_can_be_encoded() -> None:
    metrics = list(to_metrics(REGISTRY.collect(), BEGAN, NOW))
    scope = ScopeMetrics(InstrumentationScope("memoir"), metrics, "")
    encoded = encode_metrics(MetricsData([ResourceMetrics(Resource({}), [scope], "")]))
    names = [m.name for m in encoded.resource_metrics[0].scope_metrics[0].metrics]
    assert len(names) == len(set(names)) == len(metrics) > 10
