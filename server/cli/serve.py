"""`serve`: run the service."""

from __future__ import annotations

import argparse
import time
from contextlib import AsyncExitStack

from rich.markup import escape

from server.cli.backends import embedded_postgres, graph_of
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
from server.cli.migrate import apply_migrations
from server.cli.serving import Serve, Serving, serve_by_workers, serve_here
from server.cli.worker import arm_failpoints, prepare_logging
from server.core.background import running
from server.runtime.composition.database import open_administration
from server.runtime.composition.doors import open_page
from server.runtime.composition.graph import GraphAddress, answering_graph
from server.runtime.lifecycle import StopSignals
from server.runtime.settings import Settings, load_settings


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
    prepare_logging(settings)
    arm_failpoints(settings)
    stop = StopSignals()
    stop.install()
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
    """Starts what the settings ask for; closing the stack stops it in reverse order."""
    progress = ConsoleProgress()
    if settings.postgres.dsn is None:
        return await _start_embedded(stack, settings, serve, progress)
    graph = await stack.enter_async_context(graph_of(settings, progress))
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
    graph = await stack.enter_async_context(graph_of(settings, progress))
    await apply_migrations(dsn, progress)
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
        await stack.enter_async_context(running("graph", _say_when_ready(graph, settings)))
    return serving


def _lines_to_paste(key: str, address: str, http: str | None, *, encrypts: bool) -> str:
    client = client_line(key, address, encrypts=encrypts)
    lines = [grpcurl_line(key, address, encrypts=encrypts), f"\nmemoir.Client:\n\n{client}"]
    if http is not None:
        lines.append(f"\nMem0's own client (it comes from PyPI):\n\n{mem0_line(key, http)}")
        lines.append(
            f"\nthe tools of an agent, as a configuration of MCP:\n\n{mcp_line(key, http)}"
        )
    return "\n".join(lines)


async def _say_when_ready(graph: GraphAddress, settings: Settings) -> None:
    began = time.monotonic()
    await answering_graph(graph, settings.neo4j)
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


def _banner(settings: Settings, serving: Serving, address: str, graph: GraphAddress | None) -> str:
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
