"""The metrics of this process in the terms of OpenTelemetry.

Names and attributes are those of the semantic conventions where these have one. A backend that
writes them in the terms of Prometheus again arrives at the names that `GET /metrics` has.
https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
)
from prometheus_client import Metric as Family
from prometheus_client.samples import Sample

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
    """The metrics at `now`, counted since `began`; both in nanoseconds since the epoch."""
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
    """The samples of each distribution."""
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
    """Without those that are empty, which in Prometheus are none either."""
    return {
        _ATTRIBUTES.get(name, name): value
        for name, value in labels.items()
        if value and name != _BOUND
    }
