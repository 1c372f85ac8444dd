"""What logs, metrics, statistics and traces cost: the same server with them and without.

    make bench-telemetry

The servers take turns on databases of their own, each case in every round. The median of a case's
ratios counts, since rounds differ more than servers do.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import uvloop
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.cases import Cases
from benchmarks.load import Call, closed_loop
from benchmarks.running import prepared
from benchmarks.servers import postgres, serving

CALLERS = 16
SERVER, UNMEASURED = "server", "benchmarks.unmeasured"


@dataclass(frozen=True, slots=True)
class Side:
    """One way to run the server."""

    name: str
    module: str = SERVER
    variables: Mapping[str, str] = field(default_factory=dict)


OFF = Side("all off", UNMEASURED, {"MEMOIR_LOG_LEVEL": "error"})
RECORDING = Side("logs, metrics, statistics", variables={"MEMOIR_METRICS_PORT": "0"})
Rates = dict[tuple[str, str], list[float]]


def sides(collector: str) -> list[Side]:
    """All ways, the one without anything first."""
    traced = {**RECORDING.variables, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{collector}"}
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
    rates: Rates = defaultdict(list)
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
            for name, cases in running.items():
                await measure(name, cases, number, arguments.calls, rates)
    print_table(rates, compared)


@asynccontextmanager
async def started(dsn: str, folder: Path, number: int, side: Side) -> AsyncIterator[Cases]:
    """A server of a side, during the block."""
    async with prepared(dsn, f"side_{number}", **side.variables) as (environment, key):
        log = folder / f"{number}.log"
        async with (
            serving("-m", side.module, "serve", environment=environment, log=log) as at,
            grpc.aio.insecure_channel(at) as channel,
        ):
            yield Cases(channel, key)


async def measure(side: str, cases: Cases, number: int, calls: int, rates: Rates) -> None:
    """One round of one side; the one before the first warms up."""
    begin = (number + 1) * calls
    for case, call in (
        ("add 1", cases.add_one),
        ("search", cases.search),
        ("infer 1", cases.infer),
    ):
        figures = await closed_loop(from_number(call, begin), callers=CALLERS, calls=calls)
        if number >= 0:
            rates[case, side].append(figures.rate)


def from_number(call: Call, begin: int) -> Call:
    """`call` with numbers that no round before had."""
    return lambda number: call(begin + number)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.telemetry", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rounds", type=int, default=9, help="rounds (default: %(default)s)")
    parser.add_argument(
        "--calls", type=int, default=600, help="calls a case and round (default: %(default)s)"
    )
    return parser.parse_args()


def print_table(rates: Rates, compared: list[Side]) -> None:
    """Calls a second, and what of them is left."""
    table = Table("case", "server", "calls/s", "of all off")
    for case in dict.fromkeys(case for case, _ in rates):
        for side in compared:
            pairs = zip(rates[case, side.name], rates[case, OFF.name], strict=True)
            left = statistics.median(rate / without for rate, without in pairs)
            rate = statistics.median(rates[case, side.name])
            table.add_row(case, side.name, f"{rate:,.0f}", f"{left:.0%}")
    Console().print(table)


if __name__ == "__main__":
    uvloop.run(main())
