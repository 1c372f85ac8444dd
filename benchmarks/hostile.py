"""Measures the effect of a hostile project on the calls of a quiet one.

    python -m benchmarks.hostile [--seconds N] [--rounds N]

One caller of the quiet project adds and searches in turn: alone, then beside each kind of
load of the hostile one (`benchmarks.hostile_project`), in every round. Meanwhile the server's
readiness is checked ten times a second. It starts its own server, with one worker.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rich.console import Console
from rich.table import Table

from benchmarks.cases import Cases
from benchmarks.hostile_project import KINDS, TEXTS, Hostile
from benchmarks.load import Figures
from benchmarks.running import prepared
from benchmarks.servers import PROJECT, ROOT, command_line, postgres, serving

ALONE = "alone"
WARM_UP_SECONDS = 0.5
READINESS_PAUSE_SECONDS = 0.1
AUTOGROUP = Path("/proc/sys/kernel/sched_autogroup_enabled")
READINESS = health_pb2.HealthCheckRequest(service="memoir.v1.MemoryService")


@dataclass(slots=True)
class Measured:
    """Seconds of the quiet project's calls, how many failed, and how often the server was ready."""

    adds: list[float] = field(default_factory=list)
    searches: list[float] = field(default_factory=list)
    failed: int = 0
    ready: int = 0
    unready: int = 0


class Quiet:
    """The quiet project's caller."""

    def __init__(self, channel: grpc.aio.Channel, key: str) -> None:
        self._cases = Cases(channel, key)
        self._health = health_pb2_grpc.HealthStub(channel)
        self._number = 0

    async def measure(self, seconds: float, into: Measured) -> None:
        """Calls for this time."""
        asking = asyncio.create_task(self._ask_readiness(into))
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                self._number += 1
                for call, durations in (
                    (self._cases.add_one, into.adds),
                    (self._cases.search, into.searches),
                ):
                    began = time.perf_counter()
                    try:
                        await call(self._number)
                    except grpc.aio.AioRpcError:
                        into.failed += 1
                    durations.append(time.perf_counter() - began)
        finally:
            asking.cancel()
            await asyncio.wait([asking])

    async def _ask_readiness(self, into: Measured) -> None:
        while True:
            answer = await self._health.Check(READINESS)
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                into.ready += 1
            else:
                into.unready += 1
            await asyncio.sleep(READINESS_PAUSE_SECONDS)


@asynccontextmanager
async def hostile_project(kind: str, address: str, key: str) -> AsyncIterator[None]:
    """Runs the hostile project during the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.hostile_project", kind, address, key),
        cwd=ROOT,
        env=dict(os.environ),
    )
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()


@asynccontextmanager
async def projects() -> AsyncIterator[tuple[str, str, str]]:
    """Yields the address of a server, and the keys of the quiet and of the hostile project."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="memoir-bench-")))
        dsn = await stack.enter_async_context(postgres(folder / "postgres"))
        settings, quiet = await stack.enter_async_context(prepared(dsn, PROJECT))
        await command_line("projects", "create", "hostile", environment=settings)
        key = await command_line("keys", "create", "--project", "hostile", environment=settings)
        address = await stack.enter_async_context(
            serving("-m", "server", "serve", environment=settings, log=folder / "log")
        )
        yield address, quiet, key


async def one_round(
    quiet: Quiet, address: str, key: str, seconds: float, measured: dict[str, Measured]
) -> None:
    """Measures each kind of hostile load, and the quiet project alone before each."""
    for kind in KINDS:
        await quiet.measure(seconds / 2, measured[ALONE])
        async with hostile_project(kind, address, key):
            await asyncio.sleep(WARM_UP_SECONDS)
            await quiet.measure(seconds, measured[kind])
        # By then the remaining calls of the hostile project are finished or cancelled.
        await asyncio.sleep(WARM_UP_SECONDS)


def print_table(measured: dict[str, Measured]) -> None:
    """Prints the milliseconds of the quiet project's calls, and their ratio to its calls alone."""
    table = Table("", "call", "p50 ms", "p99 ms", "p50", "p99", "failed", "unready")
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    for kind, figures in measured.items():
        for name in ("adds", "searches"):
            alone = Figures.of(getattr(measured[ALONE], name), 1.0)
            here = Figures.of(getattr(figures, name), 1.0)
            table.add_row(
                kind,
                name,
                f"{here.p50_ms:.1f}",
                f"{here.p99_ms:.1f}",
                f"{here.p50_ms / alone.p50_ms:.1f}x",
                f"{here.p99_ms / alone.p99_ms:.1f}x",
                str(figures.failed),
                f"{figures.unready}/{figures.ready + figures.unready}",
            )
    Console().print(table)
    if AUTOGROUP.exists():
        # The figures depend on it: see ADR 0072.
        print(f"kernel.sched_autogroup_enabled: {AUTOGROUP.read_text().strip()}")


def parse_arguments() -> argparse.Namespace:
    """Returns the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seconds", type=float, default=6.0, help="beside each kind, a round")
    parser.add_argument("--rounds", type=int, default=1, help="rounds")
    return parser.parse_args()


async def main() -> None:
    """Measures and prints."""
    arguments = parse_arguments()
    measured: defaultdict[str, Measured] = defaultdict(Measured)
    async with (
        projects() as (address, quiet_key, hostile_key),
        grpc.aio.insecure_channel(address) as channel,
    ):
        hostile = Hostile(channel, hostile_key)
        for _ in range(TEXTS // 100):
            await hostile.add(100)
        quiet = Quiet(channel, quiet_key)
        await quiet.measure(1.0, Measured())  # The first calls of a server are slower.
        for _ in range(arguments.rounds):
            await one_round(quiet, address, hostile_key, arguments.seconds, measured)
    print_table(measured)


if __name__ == "__main__":
    uvloop.run(main())
