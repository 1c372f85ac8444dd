"""Joins the figures and the metrics of one server's workers."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from prometheus_client.registry import CollectorRegistry

from server.projects.ports import PoolUsage
from server.projects.statistics import ProcessFigures
from server.runtime.settings import MetricsSettings
from server.runtime.worker_queries import answering, ask_all
from server.telemetry.exposition import JoinedMetrics, Snapshot, families_of, serving_metrics
from server.telemetry.metrics import REGISTRY
from server.telemetry.statistics import Statistics, windows_from, windows_json

_METRICS: Final = "metrics"
_FIGURES_OF: Final = "figures_of"


@dataclass(frozen=True, slots=True)
class Worker:
    """One serving process of several.

    `number` counts from 0. All workers listen on `port` and, for HTTP, on `http_port` if it is not
    None, and query each other through sockets in `directory`.
    """

    number: int
    count: int
    port: int
    directory: Path
    http_port: int | None = None

    async def figures_of_others(self, project_id: str) -> Sequence[ProcessFigures]:
        """Returns the figures of a project from all other workers that answer."""
        others = [number for number in range(self.count) if number != self.number]
        answers = await ask_all(self.directory, others, {_FIGURES_OF: project_id})
        return [
            ProcessFigures(windows_from(answer["windows"]), PoolUsage(**answer["pool"]))
            for answer in answers
            if answer is not None
        ]


@asynccontextmanager
async def answering_others(
    worker: Worker, statistics: Statistics, pool_usage: Callable[[], PoolUsage]
) -> AsyncIterator[None]:
    """Answers the other workers' queries for this worker's figures during the block."""

    def answer(question: Mapping[str, Any]) -> Any:
        if _METRICS in question:
            return [os.getpid(), families_of(REGISTRY)]
        windows = statistics.figures(question[_FIGURES_OF])
        return {"windows": windows_json(windows), "pool": asdict(pool_usage())}

    async with answering(worker.directory, worker.number, answer):
        yield


@contextmanager
def serving_joined_metrics(
    settings: MetricsSettings,
    version: str,
    directory: Path,
    count: int,
    tls: ssl.SSLContext | None = None,
) -> Iterator[int | None]:
    """Serves the joined metrics of all workers, if a port is configured."""
    if settings.port is None:
        yield None
        return
    registry = CollectorRegistry()
    registry.register(JoinedMetrics(lambda: _snapshots(directory, count)))
    with serving_metrics(settings.host, settings.port, version, registry, tls) as port:
        yield port


def _snapshots(directory: Path, count: int) -> list[Snapshot | None]:
    # Metrics are served by a thread, which has no event loop yet.
    answers = asyncio.run(ask_all(directory, range(count), {_METRICS: True}))
    return [None if answer is None else (answer[0], answer[1]) for answer in answers]
