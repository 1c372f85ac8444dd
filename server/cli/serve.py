"""`serve`: run the service, in this process or in several processes that it supervises."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from rich.markup import escape

from server import __version__
from server.cli.backends import embedded_postgres, graph_to_serve
from server.cli.console import ConsoleProgress, out
from server.cli.development import (
    Runtime,
    announced,
    client_line,
    development_key,
    grpcurl_line,
    mcp_line,
    mem0_line,
)
from server.cli.worker import Assignment, prepare, serving_process, worker_command
from server.core.background import running
from server.core.values import Neo4jAddress
from server.runtime.composition.commands import migrate_database, open_administration
from server.runtime.composition.doors import listening_context, local_socket, loopback, open_page
from server.runtime.composition.graph import wait_for_graph
from server.runtime.composition.worker_figures import Worker, serving_joined_metrics
from server.runtime.settings import Settings, load_settings
from server.runtime.workers import shared_port, supervised
from server.telemetry.exposition import serving_metrics

KILL_SECONDS: Final = 5.0
"""Seconds beyond the time for draining after which a worker that still runs is killed."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A running server: its ports, the names of its models, and how to drain it.

    `http_port` is None if HTTP is not served. This process calls the server at `local_address`.
    """

    port: int
    http_port: int | None
    local_address: str
    language_model: str
    embedding_model: str
    drain: Callable[[], Awaitable[None]]


Serve: TypeAlias = Callable[
    [AsyncExitStack, Settings, str, Neo4jAddress | None], Awaitable[Serving]
]


async def serve_here(
    stack: AsyncExitStack, settings: Settings, dsn: str, graph: Neo4jAddress | None
) -> Serving:
    """Serves in this process until the stack is closed."""
    metrics = settings.metrics
    if metrics.port is not None:
        _announce(
            settings,
            stack.enter_context(
                serving_metrics(
                    metrics.host, metrics.port, __version__, tls=listening_context(settings.tls)
                )
            ),
        )
    service = await stack.enter_async_context(serving_process(settings, dsn, graph))

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
    stack: AsyncExitStack, settings: Settings, dsn: str, graph: Neo4jAddress | None
) -> Serving:
    """Serves in several processes, which this process starts, restarts and stops.

    Raises:
        CannotListen: the port is taken.
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
        serving_joined_metrics(
            settings.metrics, __version__, directory, count, listening_context(settings.tls)
        )
    )
    if metrics_port is not None:
        _announce(settings, metrics_port)
    command = worker_command(Assignment(dsn, graph, Worker(0, count, port, directory, http_port)))
    stop_seconds = settings.grpc.drain_delay + settings.grpc.drain_seconds + KILL_SECONDS
    supervisor = await stack.enter_async_context(supervised(command, stop_seconds))
    out.print(f"{count} workers: {', '.join(map(str, supervisor.pids))}")
    models = json.loads(supervisor.first_lines[0])

    async def drain() -> None:
        await supervisor.stop(stop_seconds)

    # The first worker's address, because that worker is restarted if it dies.
    encrypts = settings.tls.cert is not None
    local_address = local_socket(directory) if encrypts else loopback(settings, port)
    return Serving(
        port, http_port, local_address, models["language_model"], models["embedding_model"], drain
    )


def _announce(settings: Settings, port: int) -> None:
    scheme = settings.tls.http_scheme
    out.print(f"metrics on {scheme}://{settings.metrics.host}:{port}/metrics")


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "serve",
        help="run the service until SIGTERM or Ctrl-C",
        description="Without MEMOIR_POSTGRES_DSN it starts its own PostgreSQL and Neo4j, migrates "
        "them, and creates a development key.",
    )
    parser.set_defaults(run=run)


async def run(_arguments: argparse.Namespace) -> None:
    """Runs the command."""
    settings = load_settings()
    settings.model_choice()
    stop = prepare(settings)
    async with AsyncExitStack() as stack:
        serve = serve_here if settings.worker_count == 1 else serve_by_workers
        serving = await _start(stack, settings, serve)
        await _serve_page(stack, settings, serving)
        await stop.wait()
        out.print("stopping: accepted calls are finished first")
        await serving.drain()


async def _serve_page(stack: AsyncExitStack, settings: Settings, serving: Serving) -> None:
    address = await stack.enter_async_context(open_page(settings, serving.local_address))
    if address is not None:
        out.print(f"web page on {address}")


async def _start(stack: AsyncExitStack, settings: Settings, serve: Serve) -> Serving:
    """Starts what is configured; closing the stack stops it in reverse order."""
    progress = ConsoleProgress()
    if settings.postgres.dsn is None:
        return await _start_embedded(stack, settings, serve, progress)
    graph = await stack.enter_async_context(graph_to_serve(settings, progress))
    dsn = settings.postgres.dsn.get_secret_value()
    serving = await serve(stack, settings, dsn, graph)
    if http := _http_address(settings, serving):
        out.print(f"HTTP on {http}")
    out.print(f"serving on {_address(settings, serving)}")
    return serving


async def _start_embedded(
    stack: AsyncExitStack,
    settings: Settings,
    serve: Serve,
    progress: ConsoleProgress,
) -> Serving:
    """Starts everything with embedded databases, and prints how to call it."""
    dsn = await stack.enter_async_context(embedded_postgres(settings, progress))
    graph = await stack.enter_async_context(graph_to_serve(settings, progress))
    await migrate_database(dsn, progress)
    key = await _development_key(settings, dsn)
    serving = await serve(stack, settings, dsn, graph)
    address = _address(settings, serving)
    runtime = Runtime(dsn, address, graph.uri if graph else None)
    stack.enter_context(announced(settings.data.data_dir, runtime))
    out.print(_banner(settings, serving, address, graph), markup=True)
    http = _http_address(settings, serving)
    encrypts = settings.tls.cert is not None
    out.print(_lines_to_paste(key, address, http, encrypts=encrypts), markup=False)
    out.print("\nCtrl-C stops everything; the data stay.")
    if graph is not None:
        await stack.enter_async_context(running("graph", _report_when_ready(graph, settings)))
    return serving


def _lines_to_paste(key: str, address: str, http: str | None, *, encrypts: bool) -> str:
    client = client_line(key, address, encrypts=encrypts)
    lines = [grpcurl_line(key, address, encrypts=encrypts), f"\nmemoir.Client:\n\n{client}"]
    if http is not None:
        lines.append(f"\nMem0's own client (from PyPI):\n\n{mem0_line(key, http)}")
        lines.append(f"\nMCP configuration of an agent:\n\n{mcp_line(key, http)}")
    return "\n".join(lines)


async def _report_when_ready(graph: Neo4jAddress, settings: Settings) -> None:
    began = time.monotonic()
    await wait_for_graph(graph, settings.neo4j)
    out.print(f"the graph is ready, {time.monotonic() - began:.1f} s after the server")


async def _development_key(settings: Settings, dsn: str) -> str:
    async with open_administration(dsn, settings.postgres) as administration:
        return await development_key(administration, settings.data.data_dir)


def _address(settings: Settings, serving: Serving) -> str:
    return f"{settings.grpc.host}:{serving.port}"


def _http_address(settings: Settings, serving: Serving) -> str | None:
    if serving.http_port is None:
        return None
    return f"{settings.tls.http_scheme}://{settings.http.host}:{serving.http_port}"


def _banner(settings: Settings, serving: Serving, address: str, graph: Neo4jAddress | None) -> str:
    offline = (
        ""
        if serving.language_model.startswith("gemini/")
        else ("  (built in; set GEMINI_API_KEY for inference by Gemini)")
    )
    where = (
        f"Neo4j at {graph.uri}, which is starting"
        if graph
        else "none: changes wait for one (see the log)"
    )
    return (
        f"\n[bold]Memoir serves on {address}[/bold]\n"
        f"  infers with   {escape(serving.language_model)}{offline}\n"
        f"  embeds with   {escape(serving.embedding_model)}\n"
        f"  graph         {where}\n"
        f"  HTTP on       {_http_address(settings, serving) or 'none'}\n"
        f"  data          {escape(str(settings.data.data_dir))}\n"
        "\nTry it in another terminal:\n"
    )
