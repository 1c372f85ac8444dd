"""The Prometheus metrics of this process.

Names and labels follow OpenTelemetry's semantic conventions where these define them, in the form of
its Prometheus mapping. Clients and models cannot choose label values: there are only a few methods,
codes, stages, models and kinds.
https://opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics/
"""

from __future__ import annotations

import collections
from bisect import bisect_left
from collections import deque
from typing import Final, Literal, TypeAlias

import prometheus_client
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    PlatformCollector,
    ProcessCollector,
)

MOST_NOTED: Final = 500
"""The maximum number of observations that wait to be counted."""


class Histogram(prometheus_client.Histogram):
    """Collects observations, and counts them together when it is read or there are too many.

    Counting them one by one would go through all buckets and two locks about ten times in each
    call. The library cannot count several at once, so this class uses its internal buckets.
    """

    def _metric_init(self) -> None:
        super()._metric_init()
        self._noted: deque[float] = deque()

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        """Observes an amount; it is counted at once if it has an exemplar, the link to a trace."""
        if exemplar:
            super().observe(amount, exemplar)
            return
        self._noted.append(amount)
        if len(self._noted) >= MOST_NOTED:
            self._count_noted()

    def _child_samples(self) -> tuple[prometheus_client.samples.Sample, ...]:
        self._count_noted()
        return tuple(super()._child_samples())

    def _count_noted(self) -> None:
        # Other threads may observe and count at the same time: each amount is taken once.
        amounts = []
        while self._noted:
            try:
                amounts.append(self._noted.popleft())
            except IndexError:
                break
        self._sum.inc(sum(amounts))
        for place, count in collections.Counter(
            bisect_left(self._upper_bounds, a) for a in amounts
        ).items():
            self._buckets[place].inc(count)


Join: TypeAlias = Literal["sum", "max", "min"]

REGISTRY: Final = CollectorRegistry(auto_describe=True)
JOINED_BY: Final[dict[str, Join]] = {
    "process_start_time_seconds": "min",
    "process_max_fds": "min",
    "python_info": "max",
}
"""How gauges of the workers of a server are joined if they are not summed."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SHORT_SECONDS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5)
_COUNTS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500)


def _histogram(
    name: str,
    help: str,  # noqa: A002 - Prometheus's word
    labels: tuple[str, ...] = (),
    *,
    buckets: tuple[float, ...] = _SECONDS,
) -> Histogram:
    return Histogram(name, help, labels, buckets=buckets, registry=REGISTRY)


def _counter(
    name: str,
    help: str,  # noqa: A002 - as above
    labels: tuple[str, ...] = (),
    *,
    values: tuple[str, ...] = (),
) -> Counter:
    """`values` of the only label start at 0, because a first increase would not be visible."""
    counter = Counter(name, help, labels, registry=REGISTRY)
    for value in values:
        counter.labels(value)
    return counter


def _gauge(
    name: str,
    help: str,  # noqa: A002 - as above
    labels: tuple[str, ...] = (),
    *,
    joined_by: Join = "sum",
) -> Gauge:
    """`joined_by` is how the values of one server's workers are combined."""
    if joined_by != "sum":
        JOINED_BY[name] = joined_by
    return Gauge(name, help, labels, registry=REGISTRY)


RPC_SECONDS: Final = _histogram(
    "rpc_server_call_duration_seconds",
    "How long calls took, by method and status.",
    ("rpc_method", "rpc_response_status_code"),
)
STAGE_SECONDS: Final = _histogram(
    "memoir_stage_duration_seconds", "How long the steps of calls took.", ("stage",)
)
MODEL_SECONDS: Final = _histogram(
    "gen_ai_client_operation_duration_seconds",
    "How long attempts at calls of models took.",
    ("gen_ai_operation_name", "gen_ai_request_model", "error_type"),
)
MODEL_TOKENS: Final = _counter(
    "memoir_model_tokens", "Tokens sent to and received from models.", ("model", "direction")
)
MODEL_RETRIES: Final = _counter("memoir_model_retries", "Retries of calls of models.", ("model",))
MODEL_LIMIT: Final = _gauge(
    "memoir_model_concurrency_limit", "Calls of the model provider that may run concurrently."
)
MODEL_WAIT_SECONDS: Final = _histogram(
    "memoir_model_wait_seconds", "How long calls of the model provider waited for their turn."
)
MODEL_CALLS: Final = _gauge(
    "memoir_model_calls", "Calls of the model provider that run or wait.", ("state",)
)
EMBEDDING_BATCH_TEXTS: Final = _histogram(
    "memoir_embedding_batch_texts", "Texts in one request for embeddings.", buckets=_COUNTS
)
EMBEDDING_BATCH_WAIT_SECONDS: Final = _histogram(
    "memoir_embedding_batch_wait_seconds",
    "How long the first text of an embedding request waited for others.",
    buckets=_SHORT_SECONDS,
)
SEARCH_ARMS: Final = _counter(
    "memoir_search_arms", "How often each arm of a search ran or was skipped.", ("arm", "outcome")
)
SEARCH_CANDIDATES: Final = _histogram(
    "memoir_search_candidates",
    "Memories that each arm proposed to one search.",
    ("arm",),
    buckets=_COUNTS,
)
MEMORY_CHANGES: Final = _counter(
    "memoir_memory_changes", "Memories added, updated, deleted and restored.", ("type",)
)
CACHE_READS: Final = _counter(
    "memoir_cache_reads", "Reads of caches, by hit and miss.", ("outcome",)
)
POOL_CONNECTIONS: Final = _gauge(
    "memoir_postgres_pool_connections", "Open connections to PostgreSQL.", ("state",)
)
POOL_LIMIT: Final = _gauge(
    "memoir_postgres_pool_limit", "Connections to PostgreSQL that may be open."
)
POOL_WAIT_SECONDS: Final = _histogram(
    "memoir_postgres_pool_wait_seconds",
    "How long calls waited for a connection to PostgreSQL.",
    buckets=_SHORT_SECONDS,
)
OUTBOX_PENDING: Final = _gauge(
    "memoir_graph_outbox_pending",
    "Memories whose change is not in the graph yet, all servers.",
    joined_by="max",
)
OUTBOX_GIVEN_UP: Final = _gauge(
    "memoir_graph_outbox_given_up",
    "Memories that the projection has given up, all servers.",
    joined_by="max",
)
OUTBOX_OLDEST_SECONDS: Final = _gauge(
    "memoir_graph_lag_seconds",
    "How long the oldest change has waited for the graph.",
    joined_by="max",
)
PROJECTED: Final = _counter("memoir_projected_memories", "Memories projected to the graph.")
PROJECTION_FAILURES: Final = _counter(
    "memoir_projection_failures",
    "Batches that could not be projected to the graph.",
    ("reason",),
    values=("unavailable", "overdue", "refused", "given_up"),
)
OPERATIONS: Final = _gauge(
    "memoir_operations",
    "Asynchronous operations by state, all servers.",
    ("state",),
    joined_by="max",
)
OPERATIONS_OLDEST_SECONDS: Final = _gauge(
    "memoir_operations_oldest_seconds",
    "How long the oldest unfinished operation has waited.",
    joined_by="max",
)
OPERATION_ATTEMPTS: Final = _counter(
    "memoir_operation_attempts",
    "Attempts at operations, by outcome.",
    ("outcome",),
    values=("succeeded", "failed", "quota_exhausted", "given_up"),
)
ADMISSION_CALLS: Final = _gauge(
    "memoir_admission_calls",
    "Calls that run, are parked, or wait for admission.",
    ("state",),
)
ADMISSION_REFUSALS: Final = _counter(
    "memoir_admission_refusals",
    "Calls refused because of overload.",
    ("reason",),
    values=("overloaded", "rate_limited"),
)
DEPENDENCY_UP: Final = _gauge(
    "memoir_dependency_up",
    "1 if the dependency answered the last check.",
    ("dependency",),
    joined_by="min",
)
BREAKER_OPEN: Final = _gauge(
    "memoir_circuit_breaker_open",
    "1 while the dependency is not called.",
    ("dependency",),
    joined_by="max",
)
EVENT_LOOP_LAG_SECONDS: Final = _histogram(
    "memoir_event_loop_lag_seconds",
    "How late timers of the event loop are.",
    buckets=_SHORT_SECONDS,
)
BUILD: Final = _gauge(
    "memoir_build_info", "Always 1; the version is in the label.", ("version",), joined_by="max"
)

ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
