"""Adds and searches per second, compared with a minimal server.

    make bench

Every round starts on an empty database; the servers take turns, and the median round counts.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from pathlib import Path

import grpc
import uvloop
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.cases import Cases
from benchmarks.load import Call, Figures, closed_loop, median_by_rate
from benchmarks.running import database, prepared
from benchmarks.servers import command_line, memoir_environment, postgres, serving

CALLERS = 16
WARM_UP_CALLS = 200
ADD, ADD_TWENTY, INFER, SEARCH = "add 1", "add 20", "infer 1", "search"
MEMOIR, BARE = "memoir", "bare grpc.aio + asyncpg"

Results = dict[tuple[str, str], list[Figures]]


async def main() -> None:
    """Runs the rounds and prints a table."""
    arguments = parse_arguments()
    results: Results = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="memoir-bench-") as folder, Progress() as progress:
        task = progress.add_task("rounds", total=2 * arguments.rounds)
        async with postgres(Path(folder) / "postgres") as dsn:
            for number in range(arguments.rounds):
                await measure_memoir(dsn, Path(folder), number, arguments.calls, results)
                progress.advance(task)
                await measure_bare(dsn, Path(folder), number, arguments.calls, results)
                progress.advance(task)
    print_table({key: median_by_rate(runs) for key, runs in results.items()})


def parse_arguments() -> argparse.Namespace:
    """Returns the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: %(default)s)")
    parser.add_argument(
        "--calls", type=int, default=3000, help="calls a case and round (default: %(default)s)"
    )
    return parser.parse_args()


async def measure_memoir(
    server_dsn: str, folder: Path, number: int, calls: int, results: Results
) -> None:
    """Measures one round of the service."""
    async with (
        prepared(server_dsn, f"memoir_{number}") as (environment, key),
        serving("-m", "server", "serve", environment=environment, log=folder / "log") as at,
        grpc.aio.insecure_channel(at) as channel,
    ):
        cases = Cases(channel, key)
        await warm_up(cases)
        results[MEMOIR, ADD].append(await loop(cases.add_one, calls))
        results[MEMOIR, SEARCH].append(await loop(cases.search, calls))
        results[MEMOIR, ADD_TWENTY].append(await loop(cases.add_twenty, calls // 10))
        results[MEMOIR, INFER].append(await loop(cases.infer, calls // 3))


async def measure_bare(
    server_dsn: str, folder: Path, number: int, calls: int, results: Results
) -> None:
    """Measures one round of the minimal server."""
    async with database(server_dsn, f"bare_{number}") as dsn:
        environment = memoir_environment(dsn)
        await command_line("migrate", environment=environment)
        async with (
            serving(
                "-m", "benchmarks.bare", dsn, environment=environment, log=folder / "log"
            ) as at,
            grpc.aio.insecure_channel(at) as channel,
        ):
            cases = Cases(channel)
            await warm_up(cases)
            results[BARE, ADD].append(await loop(cases.add_one, calls))
            results[BARE, ADD_TWENTY].append(await loop(cases.add_twenty, calls // 10))


async def warm_up(cases: Cases) -> None:
    """Fills caches and pools; its numbers are negative, so its messages differ from all cases."""
    await closed_loop(
        lambda number: cases.add_one(-1 - number), callers=CALLERS, calls=WARM_UP_CALLS
    )


async def loop(call: Call, calls: int) -> Figures:
    """Runs a case with the usual number of callers."""
    return await closed_loop(call, callers=CALLERS, calls=calls)


def print_table(results: dict[tuple[str, str], Figures]) -> None:
    """Prints the figures and the ratio of the servers."""
    table = Table("case", "server", "calls/s", "p50 ms", "p95 ms", "p99 ms", "of bare")
    for (server, case), figures in sorted(results.items(), key=lambda item: item[0][1]):
        bare = results.get((BARE, case))
        ratio = f"{figures.rate / bare.rate:.0%}" if bare and server == MEMOIR else ""
        latencies = (figures.p50_ms, figures.p95_ms, figures.p99_ms)
        table.add_row(
            case, server, f"{figures.rate:,.0f}", *(f"{ms:.1f}" for ms in latencies), ratio
        )
    Console().print(table)


if __name__ == "__main__":
    uvloop.run(main())
