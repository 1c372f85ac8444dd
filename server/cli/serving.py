"""Serves in this process, or in several that this one supervises."""

from __future__ import annotations

import json
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from server import __version__
from server.cli.console import out
from server.cli.worker import Assignment, sending_telemetry, worker_command
from server.runtime.composition.doors import local_socket, loopback, open_certificates
from server.runtime.composition.graph import GraphAddress
from server.runtime.composition.service import open_service
from server.runtime.composition.workers import Worker, serving_joined_metrics
from server.runtime.lifecycle import relax_garbage_collector
from server.runtime.settings import Settings
from server.runtime.workers import shared_port, supervised
from server.telemetry.exposition import serving_metrics

KILL_SECONDS: Final = 5.0
"""Seconds beyond the time for draining after which a worker that still runs is killed."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A running server: its ports, the names of its models, and how to drain it.

    `http_port` is None where HTTP is not served. This process calls the server at `local_address`.
    """

    port: int
    http_port: int | None
    local_address: str
    language_model: str
    embedding_model: str
    drain: Callable[[], Awaitable[None]]


Serve: TypeAlias = Callable[
    [AsyncExitStack, Settings, str, GraphAddress | None], Awaitable[Serving]
]


async def serve_here(
    stack: AsyncExitStack, settings: Settings, dsn: str, graph: GraphAddress | None
) -> Serving:
    """Serves in this process until the stack is closed."""
    tracer_provider = await stack.enter_async_context(sending_telemetry(__version__))
    metrics = settings.metrics
    if metrics.port is not None:
        _announce(
            settings,
            stack.enter_context(
                serving_metrics(metrics.host, metrics.port, __version__, tls=_tls(settings))
            ),
        )
    service = await stack.enter_async_context(open_service(settings, dsn, graph, tracer_provider))
    relax_garbage_collector()

    async def drain() -> None:
        await service.drain(settings.grpc.drain_seconds, settings.grpc.drain_delay)

    models = service.models
    return Serving(
        service.port,
        service.http_port,
        service.local_address,
        models.language_model.model,
        models.embedder.model,
        drain,
    )


async def serve_by_workers(
    stack: AsyncExitStack, settings: Settings, dsn: str, graph: GraphAddress | None
) -> Serving:
    """Serves in several processes, which this one starts, restarts and stops.

    Raises:
        OSError: the address cannot be listened on.
        WorkerFailed: a worker could not be started.
    """
    count = settings.worker_count
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="memoir-workers-")))
    port = stack.enter_context(shared_port(settings.grpc.host, settings.grpc.port))
    http_port = settings.http_port
    if http_port is not None:
        http_port = stack.enter_context(
            shared_port(settings.http.host, http_port, "MEMOIR_HTTP_PORT")
        )
    metrics_port = stack.enter_context(
        serving_joined_metrics(settings.metrics, __version__, directory, count, _tls(settings))
    )
    if metrics_port is not None:
        _announce(settings, metrics_port)
    command = worker_command(Assignment(dsn, graph, Worker(0, count, port, directory, http_port)))
    stop_seconds = settings.grpc.drain_delay + settings.grpc.drain_seconds + KILL_SECONDS
    supervisor = await stack.enter_async_context(supervised(command, stop_seconds))
    out.print(f"{count} workers: {', '.join(map(str, supervisor.pids))}")
    said = json.loads(supervisor.first_words[0])

    async def drain() -> None:
        await supervisor.stop(stop_seconds)

    # The first worker's, which is started again if it dies.
    encrypts = settings.tls.cert is not None
    local_address = local_socket(directory) if encrypts else loopback(settings, port)
    return Serving(
        port, http_port, local_address, said["language_model"], said["embedding_model"], drain
    )


def _tls(settings: Settings) -> ssl.SSLContext | None:
    certificates = open_certificates(settings.tls)
    return None if certificates is None else certificates.listening_context()


def _announce(settings: Settings, port: int) -> None:
    scheme = settings.tls.http_scheme
    out.print(f"metrics on {scheme}://{settings.metrics.host}:{port}/metrics")
