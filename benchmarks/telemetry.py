"""Measures the cost of logs, metrics, statistics and traces: the same server with and without.

    make bench-telemetry

The servers take turns on their own databases, each case in every round. The figure is the server's
processor time per call, on which other work on the machine has less effect than on calls per
second. The median of a case's ratios counts, because rounds differ more than servers do.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import psutil
import uvloop
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.cases import Cases
from benchmarks.load import Call, closed_loop
from benchmarks.processor_time import seconds_of, server_processes
from benchmarks.running import prepared
from benchmarks.servers import postgres, serving

CALLERS = 16
SERVER, WITHOUT_TELEMETRY = "server", "benchmarks.without_telemetry"


@dataclass(frozen=True, slots=True)
class Side:
    """A configuration of the server."""

    name: str
    module: str = SERVER
    variables: Mapping[str, str] = field(default_factory=dict)


OFF = Side("all off", WITHOUT_TELEMETRY, {"MEMOIR_LOG_LEVEL": "error"})
RECORDING = Side("logs, metrics, statistics", variables={"MEMOIR_METRICS_PORT": "0"})


@dataclass(frozen=True, slots=True)
class Running:
    """A running server of a side: its calls, and its processes."""

    cases: Cases
    processes: Sequence[psutil.Process]


@dataclass(frozen=True, slots=True)
class Round:
    """Calls per second, and the server's processor time per call in milliseconds."""

    rate: float
    milliseconds: float


Rounds = dict[tuple[str, str], list[Round]]


def sides(collector: str) -> list[Side]:
    """Returns all configurations, the one without telemetry first."""
    traced = {**RECORDING.variables, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://{collector}"}
    always = {"OTEL_TRACES_SAMPLER": "parentbased_always_on"}
    return [
        OFF,
        RECORDING,
        Side("and traces, as by default", variables=traced),
        Side("and traces of all calls", variables={**traced, **always}),
    ]


async def main() -> None:
    """Runs the rounds and prints a table."""
    arguments = parse_arguments()
    rounds: Rounds = defaultdict(list)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="memoir-bench-")))
        collector = await stack.enter_async_context(
            serving("-m", "benchmarks.collector", environment={}, log=folder / "collector.log")
        )
        dsn = await stack.enter_async_context(postgres(folder / "postgres"))
        compared = sides(collector)
        running = {
            side.name: await stack.enter_async_context(started(dsn, folder, number, side))
            for number, side in enumerate(compared)
        }
        for number in track(range(-1, arguments.rounds), "rounds"):
            for name, server in running.items():
                await measure(name, server, number, arguments.calls, rounds)
    print_table(rounds, compared)


@asynccontextmanager
async def started(dsn: str, folder: Path, number: int, side: Side) -> AsyncIterator[Running]:
    """Runs a server of a side during the block."""
    others = server_processes()
    async with prepared(dsn, f"side_{number}", **side.variables) as (environment, key):
        log = folder / f"{number}.log"
        async with (
            serving("-m", side.module, "serve", environment=environment, log=log) as at,
            grpc.aio.insecure_channel(at) as channel,
        ):
            own = [process for process in server_processes() if process not in others]
            yield Running(Cases(channel, key), own)


async def measure(side: str, server: Running, number: int, calls: int, rounds: Rounds) -> None:
    """Measures one round of one side; the round before the first is the warm-up."""
    begin = (number + 1) * calls
    for case, call in (
        ("add 1", server.cases.add_one),
        ("search", server.cases.search),
        ("infer 1", server.cases.infer),
    ):
        before = seconds_of(server.processes)
        figures = await closed_loop(from_number(call, begin), callers=CALLERS, calls=calls)
        if number >= 0:
            milliseconds = (seconds_of(server.processes) - before) / calls * 1000
            rounds[case, side].append(Round(figures.rate, milliseconds))


def from_number(call: Call, begin: int) -> Call:
    """Returns `call` with numbers that no earlier round used."""
    return lambda number: call(begin + number)


def parse_arguments() -> argparse.Namespace:
    """Returns the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.telemetry", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rounds", type=int, default=9, help="rounds (default: %(default)s)")
    parser.add_argument(
        "--calls", type=int, default=600, help="calls a case and round (default: %(default)s)"
    )
    return parser.parse_args()


def print_table(rounds: Rounds, compared: list[Side]) -> None:
    """Prints the server's processor time per call, and its ratio to that with all off."""
    table = Table("case", "server", "ms a call", "of all off", "calls/s")
    for case in dict.fromkeys(case for case, _ in rounds):
        for side in compared:
            pairs = zip(rounds[case, side.name], rounds[case, OFF.name], strict=True)
            share = statistics.median(
                here.milliseconds / without.milliseconds for here, without in pairs
            )
            milliseconds = statistics.median(each.milliseconds for each in rounds[case, side.name])
            rate = statistics.median(each.rate for each in rounds[case, side.name])
            table.add_row(case, side.name, f"{milliseconds:.2f}", f"{share:.0%}", f"{rate:,.0f}")
    Console().print(table)


if __name__ == "__main__":
    uvloop.run(main())
