"""`serve`: running the service."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import AsyncExitStack

from opentelemetry.sdk.trace import TracerProvider
from rich.markup import escape

from server import __version__, failpoints
from server.bootstrap.database import open_administration
from server.bootstrap.graph import GraphAddress
from server.bootstrap.page import open_page
from server.bootstrap.service import Service, open_service
from server.cli.backends import embedded_postgres, graph_of
from server.cli.console import ConsoleProgress, out
from server.cli.development import development_key, grpcurl_line
from server.cli.migrate import apply_migrations
from server.cli.runtime_file import Runtime, announced
from server.lifecycle.signals import StopSignals
from server.settings import LogFormat, Settings, SettingsFault, load_settings
from server.telemetry.exposition import serving_metrics
from server.telemetry.logging import configure_logging
from server.telemetry.metric_export import configure_metric_export, shutdown_metric_export
from server.telemetry.tracing import configure_tracing, shutdown_tracing


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "serve",
        help="run the service until SIGTERM or Ctrl-C",
        description="Without MEMOIR_POSTGRES_DSN it brings its own PostgreSQL and Neo4j, migrates "
        "them, and makes a development key.",
    )
    parser.set_defaults(run=run)


async def run(_arguments: argparse.Namespace) -> None:
    """Runs the command."""
    settings = load_settings()
    settings.model_choice()
    _configure_logging(settings)
    _arm_failpoints(settings)
    stop = StopSignals()
    stop.install()
    tracer_provider = configure_tracing(__version__)
    metric_sender = configure_metric_export(__version__)
    try:
        async with AsyncExitStack() as stack:
            _serve_metrics(stack, settings)
            service = await _start(stack, settings, tracer_provider)
            await _serve_page(stack, settings, service)
            await stop.wait()
            out.print("stopping: accepted calls are finished first")
            await service.drain(settings.grpc.drain_seconds, settings.grpc.drain_delay)
    finally:
        await asyncio.gather(
            asyncio.to_thread(shutdown_tracing, tracer_provider),
            asyncio.to_thread(shutdown_metric_export, metric_sender),
        )


def _configure_logging(settings: Settings) -> None:
    chosen = settings.telemetry.format
    if chosen is None:
        chosen = LogFormat.CONSOLE if sys.stderr.isatty() else LogFormat.JSON
    telemetry = settings.telemetry
    configure_logging(chosen.value, telemetry.level, with_content=telemetry.content)


def _serve_metrics(stack: AsyncExitStack, settings: Settings) -> None:
    asked = settings.metrics
    if asked.port is not None:
        port = stack.enter_context(serving_metrics(asked.host, asked.port, __version__))
        out.print(f"metrics on http://{asked.host}:{port}/metrics")


async def _serve_page(stack: AsyncExitStack, settings: Settings, service: Service) -> None:
    address = await stack.enter_async_context(open_page(settings, service.port))
    if address is not None:
        out.print(f"web page on {address}")


def _arm_failpoints(settings: Settings) -> None:
    try:
        failpoints.arm(failpoints.parse(settings.failpoints.failpoints))
    except ValueError as error:
        raise SettingsFault(f"MEMOIR_FAILPOINTS: {error}") from error


async def _start(
    stack: AsyncExitStack, settings: Settings, tracer_provider: TracerProvider | None
) -> Service:
    """Starts what the settings ask for; what is started ends with the stack, last first."""
    progress = ConsoleProgress()
    if settings.postgres.dsn is None:
        return await _start_embedded(stack, settings, tracer_provider, progress)
    graph = await stack.enter_async_context(graph_of(settings, progress))
    dsn = settings.postgres.dsn.get_secret_value()
    service = await stack.enter_async_context(open_service(settings, dsn, graph, tracer_provider))
    out.print(f"serving on {_address(settings, service)}")
    return service


async def _start_embedded(
    stack: AsyncExitStack,
    settings: Settings,
    tracer_provider: TracerProvider | None,
    progress: ConsoleProgress,
) -> Service:
    """Starts everything on databases of its own, and says how to call it."""
    dsn = await stack.enter_async_context(embedded_postgres(settings, progress))
    graph = await stack.enter_async_context(graph_of(settings, progress))
    await apply_migrations(dsn, progress)
    key = await _development_key(settings, dsn)
    service = await stack.enter_async_context(open_service(settings, dsn, graph, tracer_provider))
    address = _address(settings, service)
    runtime = Runtime(dsn, address, graph.uri if graph else None)
    stack.enter_context(announced(settings.data.data_dir, runtime))
    out.print(_banner(settings, service, address, graph), markup=True)
    out.print(grpcurl_line(key, address), markup=False)
    out.print("\nCtrl-C stops everything; the data stay.")
    return service


async def _development_key(settings: Settings, dsn: str) -> str:
    async with open_administration(dsn, settings.postgres) as administration:
        return await development_key(administration, settings.data.data_dir)


def _address(settings: Settings, service: Service) -> str:
    return f"{settings.grpc.host}:{service.port}"


def _banner(settings: Settings, service: Service, address: str, graph: GraphAddress | None) -> str:
    models = service.models
    offline = (
        ""
        if models.language_model.model.startswith("gemini/")
        else ("  (built in; set GEMINI_API_KEY for inference by Gemini)")
    )
    where = f"Neo4j at {graph.uri}" if graph else "none: changes wait for one (see the log)"
    return (
        f"\n[bold]Memoir serves on {address}[/bold]\n"
        f"  infers with   {escape(models.language_model.model)}{offline}\n"
        f"  embeds with   {escape(models.embedder.model)}\n"
        f"  graph         {where}\n"
        f"  data          {escape(str(settings.data.data_dir))}\n"
        "\nTry it in another terminal:\n"
    )
