"""One serving process of a server that has several; `serve` starts it.

    python -m server.cli.worker

Where it serves is the first line of its standard input, whose end means that the supervisor is
gone. Once it serves it writes a line to its standard output: the names of its models.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import structlog
import uvloop

from server import __version__
from server.bootstrap.graph import GraphAddress
from server.bootstrap.service import open_service
from server.bootstrap.workers import Worker
from server.cli.console import fail
from server.cli.process import arm_failpoints, prepare_logging, sending_telemetry
from server.domain.errors import MemoirError
from server.lifecycle.signals import StopSignals
from server.lifecycle.supervisor import WorkerCommand
from server.settings import SettingsFault, load_settings

ARGUMENTS = ("-m", "server.cli.worker")


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a worker is told: the databases, and its place among the workers."""

    dsn: str
    graph: GraphAddress | None
    worker: Worker


def worker_command(first: Assignment) -> WorkerCommand:
    """How all workers are started, given what the first one is told."""
    workers = [replace(first.worker, number=number) for number in range(first.worker.count)]
    return WorkerCommand(ARGUMENTS, [_line(replace(first, worker=each)) for each in workers])


def _line(assignment: Assignment) -> bytes:
    return json.dumps(asdict(assignment), default=str).encode() + b"\n"


def _assignment(line: bytes) -> Assignment:
    value = json.loads(line)
    graph = value["graph"]
    worker = value["worker"] | {"directory": Path(value["worker"]["directory"])}
    return Assignment(value["dsn"], GraphAddress(**graph) if graph else None, Worker(**worker))


async def run() -> None:
    """Serves until SIGTERM, or until the supervisor is gone."""
    settings = load_settings()
    prepare_logging(settings)
    arm_failpoints(settings)
    stop = StopSignals()
    stop.install()
    supervisor = await _standard_input()
    assignment = _assignment(await supervisor.readline())
    structlog.contextvars.bind_contextvars(worker=assignment.worker.number)
    async with AsyncExitStack() as stack:
        tracer_provider = await stack.enter_async_context(sending_telemetry(__version__))
        service = await stack.enter_async_context(
            open_service(
                settings, assignment.dsn, assignment.graph, tracer_provider, assignment.worker
            )
        )
        models = service.models
        said = {
            "language_model": models.language_model.model,
            "embedding_model": models.embedder.model,
        }
        sys.stdout.write(json.dumps(said) + "\n")
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
    """Runs a worker; ends with a message where it cannot serve."""
    try:
        uvloop.run(run())
    except SettingsFault as fault:
        fail(str(fault), status=2)
    except (MemoirError, OSError) as error:
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        fail(f"{error}{cause}")


if __name__ == "__main__":
    main()
