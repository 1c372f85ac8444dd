"""Draws a project's statistics for a terminal."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import Final

from google.protobuf.duration_pb2 import Duration
from memoir.v1 import statistics_service_pb2 as pb
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_POINTS: Final = 48
_SLOW_LINES: Final = 6
_RIGHT: Final = "right"
# A call that its client cancelled is not an error of the server.
_NO_FAULTS: Final = ("OK", "CANCELLED")


def sparkline(values: Sequence[float], width: int = 24) -> str:
    """Draws the newest `width` values, scaled from zero to the largest of them."""
    shown = values[-width:]
    top = max(shown, default=0.0)
    if top <= 0:
        return " " * len(shown)
    steps = len(_BLOCKS) - 1
    return "".join(
        _BLOCKS[max(1, round(value / top * steps)) if value > 0 else 0] for value in shown
    )


class TopView:
    """The newest statistics, with curves of earlier values."""

    def __init__(self) -> None:
        self._latencies: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_POINTS))
        self._newest = pb.Statistics()

    def update(self, statistics: pb.Statistics) -> None:
        """Adds statistics that the server sent."""
        self._newest = statistics
        for method in statistics.last_minute.methods:
            if method.latency.count:
                self._latencies[method.method].append(method.latency.p95_ms)

    def render(self, title: str) -> RenderableType:
        """Returns the whole view, for a terminal."""
        now = self._newest
        return Group(
            Text(title, style="bold"),
            _overview(now),
            self._methods(now.last_minute),
            _stages(now.last_minute.stages),
            _models(now.last_minute.models),
            _slowest(now.last_hour.slowest_requests),
        )

    def _methods(self, window: pb.WindowStatistics) -> Table:
        table = _table("last minute", "calls/s", "errors", "p50 ms", "p95 ms", "p99 ms", "p95")
        for method in sorted(window.methods, key=lambda m: -_count(m)):
            errors = _count(method) - sum(method.requests_by_status.get(s, 0) for s in _NO_FAULTS)
            table.add_row(
                escape(method.method.rpartition(".")[2]),
                f"{_count(method) / 60:.1f}",
                f"[red]{errors}[/red]" if errors else "0",
                *_quantiles(method.latency),
                f"[cyan]{sparkline(list(self._latencies[method.method]))}[/cyan]",
            )
        return table


def _overview(now: pb.Statistics) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in (
        ("holds", _holdings(now.store)),
        ("last minute", _activity(now.last_minute)),
        ("queue", _queue(now.queue)),
        ("graph", _graph(now.graph)),
        ("pool", _pool(now.pool)),
    ):
        table.add_row(f"[dim]{name}[/dim]", value)
    return table


def _holdings(store: pb.StoreStatistics) -> str:
    return (
        f"{store.memories} memories  {store.messages} messages  {store.scopes} scopes  "
        f"{store.entities} entities  {store.relations} relations"
    )


def _activity(minute: pb.WindowStatistics) -> str:
    arms = "  ".join(
        f"{arm.arm} {arm.runs}" + (f" ({arm.skips} skipped)" if arm.skips else "")
        for arm in minute.search_arms
    )
    changes = f"+{minute.memories_added} ~{minute.memories_updated} -{minute.memories_deleted}"
    caches = _share(minute.cache_hits, minute.cache_misses)
    return f"{changes} memories  caches {caches}  arms {arms or '-'}"


def _queue(queue: pb.QueueStatistics) -> str:
    return (
        f"{queue.depth} waiting  {queue.running} running  oldest {_seconds(queue.oldest_age)}  "
        f"{queue.given_up} given up"
    )


def _graph(graph: pb.GraphStatistics) -> str:
    state = "" if graph.available else "[red]unavailable[/red]  "
    lag = _seconds(graph.lag)
    return f"{state}{graph.pending} pending  lag {lag}  {graph.given_up} given up"


def _pool(pool: pb.PoolStatistics) -> str:
    return f"{pool.size - pool.idle} used  {pool.idle} idle  of {pool.max_size}"


def _stages(stages: Iterable[pb.StageStatistics]) -> Table:
    table = _table("stage", "runs", "p50 ms", "p95 ms", "p99 ms")
    for stage in sorted(stages, key=lambda s: -s.latency.p95_ms):
        table.add_row(escape(stage.stage), str(stage.latency.count), *_quantiles(stage.latency))
    return table


def _models(models: Iterable[pb.ModelStatistics]) -> Table:
    table = _table("model", "calls", "failed", "tokens in", "tokens out", "p50 ms", "p95 ms")
    for model in models:
        latency = model.latency
        table.add_row(
            escape(model.model),
            str(model.calls),
            str(model.failures),
            str(model.input_tokens),
            str(model.output_tokens),
            *_quantiles(latency)[:2],
        )
    return table


def _slowest(calls: Iterable[pb.SlowRequest]) -> Table:
    table = Table(
        Column("slowest of the hour"),
        Column("ms", justify=_RIGHT),
        "status",
        "time (UTC)",
        "correlation id",
        box=None,
        pad_edge=False,
        header_style="bold cyan",
    )
    for call in list(calls)[:_SLOW_LINES]:
        table.add_row(
            escape(call.method.rpartition(".")[2]),
            f"{call.duration_ms:.1f}",
            escape(call.status),
            f"{call.time.ToDatetime():%H:%M:%S}",
            escape(call.correlation_id),
        )
    return table


def _table(first: str, *others: str) -> Table:
    columns = [Column(first, min_width=30), *(Column(name, justify=_RIGHT) for name in others)]
    return Table(*columns, box=None, pad_edge=False, header_style="bold cyan")


def _seconds(duration: Duration) -> str:
    return f"{duration.ToTimedelta().total_seconds():.0f} s"


def _count(method: pb.MethodStatistics) -> int:
    return sum(method.requests_by_status.values())


def _quantiles(latency: pb.LatencyStatistics) -> tuple[str, str, str]:
    if not latency.count:
        return "-", "-", "-"
    return f"{latency.p50_ms:.1f}", f"{latency.p95_ms:.1f}", f"{latency.p99_ms:.1f}"


def _share(hits: int, misses: int) -> str:
    reads = hits + misses
    return f"{100 * hits / reads:.0f} % hit" if reads else "-"
