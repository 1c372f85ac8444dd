"""`top`: show a project's statistics live."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import timedelta
from pathlib import Path

import grpc
from google.protobuf.duration_pb2 import Duration
from memoir.channels import Tls, open_async_channel
from memoir.v1 import statistics_service_pb2 as pb
from memoir.v1.statistics_service_pb2_grpc import StatisticsServiceStub
from rich.live import Live

from server.cli.console import fail, out
from server.cli.development import KEY_FILE, read_runtime
from server.cli.top_view import TopView
from server.runtime.settings import Settings, load_settings
from server.telemetry.spans import inherited_headers

_STANDARD_INPUT = Path("-")


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "top",
        help="watch the statistics of a project",
        description="Shows the statistics of the key's project and keeps updating them. Without "
        "options it watches the server that runs on this data directory. Ctrl-C ends it.",
    )
    parser.add_argument("--address", help="host:port of a server")
    parser.add_argument("--tls", action="store_true", help="connect with TLS")
    parser.add_argument(
        "--ca", type=Path, help="PEM file of the authorities to trust; implies --tls"
    )
    parser.add_argument("--cert", type=Path, help="PEM file of a client certificate, with --tls")
    parser.add_argument("--key", type=Path, help="PEM file of the certificate's private key")
    parser.add_argument(
        "--key-file", type=Path, help="file with the API key; - reads standard input"
    )
    parser.add_argument("--project", help="the project, if the key belongs to an organization")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds (default: 1)")
    parser.add_argument("--once", action="store_true", help="print once and end")
    parser.set_defaults(run=run)


async def run(arguments: argparse.Namespace) -> None:
    """Runs the command. Ends with status 1 if the server refuses or cannot be reached."""
    settings = load_settings()
    address = arguments.address or _local_address(settings)
    request = pb.WatchStatisticsRequest(
        project_id=arguments.project,
        interval=_duration(arguments.interval),
    )
    metadata = (
        ("authorization", f"Token {_key(arguments.key_file, settings)}"),
        *inherited_headers(os.environ).items(),
    )
    try:
        async with _channel(address, arguments) as channel:
            stream = StatisticsServiceStub(channel).WatchStatistics(request, metadata=metadata)
            await _show(stream, address, once=arguments.once)
    except grpc.aio.AioRpcError as error:
        fail(f"{address}: {error.code().name}: {error.details()}")


async def _show(
    stream: grpc.aio.UnaryStreamCall[pb.WatchStatisticsRequest, pb.WatchStatisticsResponse],
    address: str,
    *,
    once: bool,
) -> None:
    view, title = TopView(), f"Memoir at {address}"
    if once:
        async for answer in stream:
            view.update(answer.statistics)
            out.print(view.render(title))
            return
    with Live(console=out, screen=sys.stdout.isatty(), auto_refresh=False) as live:
        async for answer in stream:
            view.update(answer.statistics)
            live.update(view.render(title), refresh=True)


def _channel(address: str, arguments: argparse.Namespace) -> grpc.aio.Channel:
    try:
        tls = (
            Tls(arguments.ca, arguments.cert, arguments.key)
            if arguments.tls or arguments.ca
            else None
        )
        return open_async_channel(address, tls)
    except OSError as error:
        fail(str(error))


def _local_address(settings: Settings) -> str:
    runtime = read_runtime(settings.data.data_dir)
    if runtime is not None:
        return runtime.grpc_address
    return f"{settings.grpc.host}:{settings.grpc.port}"


def _key(path: Path | None, settings: Settings) -> str:
    """Reads the key from a file, because every user of the machine can see arguments."""
    if path == _STANDARD_INPUT:
        return sys.stdin.readline().strip()
    return (path or settings.data.data_dir / KEY_FILE).read_text(encoding="utf-8").strip()


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromTimedelta(timedelta(seconds=seconds))
    return duration
