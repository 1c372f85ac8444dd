"""One of a server's several serving processes, and the startup of every serving process.

python -m server.cli.worker

The first line of its standard input is its assignment; the end of that input means that the
supervisor is gone. Once it serves, it writes one line to its standard output: the names of its
models.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import structlog
import uvloop
from opentelemetry.sdk.trace import TracerProvider
from pydantic import TypeAdapter

from server import __version__, failpoints
from server.cli.console import fail
from server.core.errors import MemoirError
from server.core.values import Neo4jAddress
from server.runtime.composition.opening import open_service
from server.runtime.composition.service import Service
from server.runtime.composition.worker_figures import Worker
from server.runtime.lifecycle import StopSignals, relax_garbage_collector, use_one_thread
from server.runtime.settings import LogFormat, Settings, SettingsFault, load_settings
from server.runtime.workers import WorkerCommand
from server.telemetry.logging import configure_logging
from server.telemetry.metric_export import configure_metric_export, shutdown_metric_export
from server.telemetry.metrics import BUILD
from server.telemetry.otlp import configure_tracing, shutdown_tracing


def prepare(settings: Settings) -> StopSignals:
    """Prepares this process to serve: its logs, its failpoints, and the signals to stop.

    Raises:
        SettingsFault: there is no such failpoint.
    """
    _configure_logging(settings)
    try:
        failpoints.arm(failpoints.parse(settings.failpoints.failpoints))
    except ValueError as error:
        raise SettingsFault(f"MEMOIR_FAILPOINTS: {error}") from error
    stop = StopSignals()
    stop.install()
    return stop


def _configure_logging(settings: Settings) -> None:
    """Sets up logs; by default they are for people on a terminal, and JSON elsewhere."""
    telemetry = settings.telemetry
    chosen = telemetry.format
    if chosen is None:
        chosen = LogFormat.CONSOLE if sys.stderr.isatty() else LogFormat.JSON
    configure_logging(chosen.value, telemetry.level, with_content=telemetry.content)


@asynccontextmanager
async def serving_process(
    settings: Settings, dsn: str, graph: Neo4jAddress | None, worker: Worker | None = None
) -> AsyncIterator[Service]:
    """Serves in this process during the block, and sends telemetry if it is configured."""
    async with (
        _sending_telemetry() as tracer_provider,
        open_service(settings, dsn, graph, tracer_provider, worker) as service,
    ):
        relax_garbage_collector()
        use_one_thread()
        yield service


@asynccontextmanager
async def _sending_telemetry() -> AsyncIterator[TracerProvider | None]:
    """Sends spans and metrics to a collector during the block, if the environment configures one.

    The metrics include the version of the process.
    """
    BUILD.labels(__version__).set(1)
    tracer_provider = configure_tracing(__version__)
    metric_sender = configure_metric_export(__version__)
    try:
        yield tracer_provider
    finally:
        # Each may wait for the collector, so each gets a thread.
        run = asyncio.get_running_loop().run_in_executor
        with ThreadPoolExecutor() as threads:
            await asyncio.gather(
                run(threads, shutdown_tracing, tracer_provider),
                run(threads, shutdown_metric_export, metric_sender),
            )


ARGUMENTS = ("-m", "server.cli.worker")


@dataclass(frozen=True, slots=True)
class Assignment:
    """A worker's databases and its place among the workers."""

    dsn: str
    graph: Neo4jAddress | None
    worker: Worker


def worker_command(first: Assignment) -> WorkerCommand:
    """Returns how to start all workers, given the assignment of the first worker."""
    workers = [replace(first.worker, number=number) for number in range(first.worker.count)]
    return WorkerCommand(
        ARGUMENTS, [_assignment_line(replace(first, worker=each)) for each in workers]
    )


def _assignment_line(assignment: Assignment) -> bytes:
    return TypeAdapter(Assignment).dump_json(assignment) + b"\n"


async def run() -> None:
    """Serves until SIGTERM, or until the supervisor is gone."""
    settings = load_settings()
    stop = prepare(settings)
    supervisor = await _standard_input()
    assignment = TypeAdapter(Assignment).validate_json(await supervisor.readline())
    structlog.contextvars.bind_contextvars(worker=assignment.worker.number)
    async with serving_process(
        settings, assignment.dsn, assignment.graph, assignment.worker
    ) as service:
        models = service.models
        names = {
            "language_model": models.language_model.model,
            "embedding_model": models.embedder.model,
        }
        sys.stdout.write(json.dumps(names) + "\n")
        sys.stdout.flush()
        waits = [asyncio.create_task(stop.wait()), asyncio.create_task(supervisor.read())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await service.drain(settings.grpc.drain_seconds, settings.grpc.drain_delay)


async def _standard_input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    return reader


def main() -> None:
    """Runs a worker. Ends with a message if it cannot serve."""
    try:
        uvloop.run(run())
    except SettingsFault as fault:
        fail(str(fault), status=2)
    except (MemoirError, OSError) as error:
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        fail(f"{error}{cause}")


if __name__ == "__main__":
    main()
