"""Every observation is counted once when a histogram is read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest

from server.telemetry.metrics import MOST_NOTED, Histogram


def histogram(registry: CollectorRegistry) -> Histogram:
    return Histogram("seconds", "Help.", ("kind",), buckets=(1, 2), registry=registry)


def counts(registry: CollectorRegistry) -> list[float | None]:
    bounds = ("1.0", "2.0", "+Inf")
    found = [
        registry.get_sample_value("seconds_bucket", {"kind": "a", "le": bound}) for bound in bounds
    ]
    return [*found, registry.get_sample_value("seconds_sum", {"kind": "a"})]


def test_each_value_is_in_its_bucket() -> None:
    registry = CollectorRegistry()
    observed = histogram(registry).labels("a")
    for amount in (0.0, 1.0, 1.5, 2.0, 9.0):
        observed.observe(amount)
    assert counts(registry) == [2, 4, 5, 13.5]
    observed.observe(1.5)
    assert counts(registry) == [2, 5, 6, 15.0]


def test_an_exemplar_is_kept_with_its_bucket() -> None:
    registry = CollectorRegistry()
    observed = histogram(registry).labels("a")
    observed.observe(1.5, {"trace_id": "t1"})
    observed.observe(1.6)
    text = generate_latest(registry).decode()  # type: ignore[no-untyped-call]  # its annotations are partial
    assert 'seconds_bucket{kind="a",le="2.0"} 2.0 # {trace_id="t1"} 1.5' in text


def test_nothing_is_lost_between_threads() -> None:
    registry = CollectorRegistry()
    observed = histogram(registry).labels("a")
    each = 2 * MOST_NOTED + 1

    def observe(_number: int) -> None:
        for _ in range(each):
            observed.observe(1.0)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(observe, range(4)))
    assert counts(registry) == [4 * each, 4 * each, 4 * each, 4.0 * each]
