"""Measures adds with inference by a slow model, through the real client, and their cost.

    make bench    # or: python -m benchmarks.models [--seconds N]

PostgreSQL, Neo4j and the server run with default settings against a stand-in for the Gemini API.
Every caller adds for its own user, over one channel. Meanwhile the age of the oldest change that
waits for the graph is read.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import grpc
import uvloop
from memoir.v1 import memory_pb2, memory_service_pb2, memory_service_pb2_grpc
from rich.console import Console

from benchmarks.gemini import message
from benchmarks.load import Figures
from benchmarks.processor_time import (
    LOAD,
    NEO4J,
    POSTGRES,
    SERVER,
    milliseconds_a_call,
    processor_seconds,
)
from benchmarks.running import prepared
from benchmarks.servers import serving
from benchmarks.stores import databases
from benchmarks.tables import grouped_table

WARM_UP_SECONDS = 6.0
LOOK_SECONDS = 0.1
DRAIN_SECONDS = 120.0
OLDEST = (
    "SELECT coalesce(extract(epoch FROM now() - min(enqueue_time)), 0)::float8 FROM graph_outbox"
)


@dataclass(frozen=True, slots=True)
class Case:
    """A load: concurrent callers, and the latencies of the models in ms."""

    callers: int
    model_ms: float
    embedding_ms: float

    @property
    def name(self) -> str:
        """The label in the table."""
        return f"{self.callers} callers, {self.model_ms:.0f} + {self.embedding_ms:.0f} ms"


KINDS = (SERVER, NEO4J, POSTGRES, LOAD)
HEADERS = ("", "adds/s", "p50", "p99", "server", "Neo4j", "Postgres", "load", "oldest", "not OK")
CASES = (Case(64, 800, 80), Case(256, 800, 80), Case(64, 0, 0))


@dataclass(frozen=True, slots=True)
class Measured:
    """The results of one case; `lag_seconds` is the longest wait of a change for the graph."""

    case: Case
    figures: Figures
    statuses: Counter[str]
    processor_ms: dict[str, float]
    lag_seconds: float


class Load:
    """Callers that add one message after the other, each for its own user."""

    def __init__(self, channel: grpc.aio.Channel, key: str, users: str) -> None:
        self._stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
        self._metadata = (("authorization", f"Token {key}"),)
        self._users = users
        self._number = 0
        self.durations: list[float] = []
        self.statuses: Counter[str] = Counter()

    async def run(self, callers: int, seconds: float) -> None:
        """Starts new calls for this time, and waits for all answers."""
        end = time.perf_counter() + seconds
        await asyncio.gather(*(self._call_until(end, caller) for caller in range(callers)))

    async def _call_until(self, end: float, caller: int) -> None:
        while (begun := time.perf_counter()) < end:
            self._number += 1
            try:
                await self._add(self._number, caller)
            except grpc.aio.AioRpcError as error:
                self.statuses[f"{error.code().name}: {error.details()}"] += 1
            else:
                self.statuses["OK"] += 1
                self.durations.append(time.perf_counter() - begun)

    async def _add(self, number: int, caller: int) -> None:
        request = memory_service_pb2.AddMemoriesRequest(
            user_id=f"{self._users}-{caller}",
            output_format="v1.1",
            messages=[memory_pb2.Message(role="user", content=message(number))],
        )
        await self._stub.AddMemories(request, metadata=self._metadata)


async def oldest_change(dsn: str, seen: list[float]) -> None:
    """Reads repeatedly how long the oldest change has waited, until it is cancelled."""
    connection = await asyncpg.connect(dsn)
    try:
        while True:
            seen.append(await connection.fetchval(OLDEST))
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        await connection.close()


async def measure(case: Case, folder: Path, seconds: float) -> Measured:
    """Measures one case on empty databases."""
    async with (
        running(case, folder) as (address, key, dsn),
        grpc.aio.insecure_channel(address) as channel,
    ):
        await Load(channel, key, "warm-up").run(case.callers, WARM_UP_SECONDS)
        load, lags = Load(channel, key, "user"), list[float]()
        looking = asyncio.create_task(oldest_change(dsn, lags))
        before, begun = processor_seconds(), time.perf_counter()
        await load.run(case.callers, seconds)
        took = time.perf_counter() - begun
        await graph_caught_up(dsn)
        after = processor_seconds()
        looking.cancel()
        await asyncio.wait([looking])
    figures = Figures.of(load.durations, took)
    costs = milliseconds_a_call(before, after, len(load.durations))
    return Measured(case, figures, load.statuses, costs, max(lags))


async def graph_caught_up(dsn: str) -> None:
    """Returns when no change waits for the graph; that work is part of the adds' cost."""
    connection = await asyncpg.connect(dsn)
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            # Another process does the work, so there is no event to wait for.
            while await connection.fetchval("SELECT count(*) FROM graph_outbox"):  # noqa: ASYNC110
                await asyncio.sleep(LOOK_SECONDS)
    finally:
        await connection.close()


@asynccontextmanager
async def running(case: Case, folder: Path) -> AsyncIterator[tuple[str, str, str]]:
    """Yields the address of a server on its own databases, a key, and the DSN."""
    latencies = (f"--llm-ms={case.model_ms}", f"--embedding-ms={case.embedding_ms}")
    async with (
        databases() as (server_dsn, graph),
        serving(
            "-m", "benchmarks.gemini", *latencies, environment={}, log=folder / "log"
        ) as gemini,
        prepared(
            server_dsn,
            "models",
            MEMOIR_MODELS="gemini",
            GEMINI_API_KEY="none",
            MEMOIR_GEMINI_BASE_URL=f"http://{gemini}",
            MEMOIR_NEO4J_URI=graph.uri,
            MEMOIR_NEO4J_USER=graph.user,
            MEMOIR_NEO4J_PASSWORD=graph.password,
        ) as (environment, key),
        serving("-m", "server", "serve", environment=environment, log=folder / "log") as address,
    ):
        yield address, key, environment["MEMOIR_POSTGRES_DSN"]


def print_table(runs: Sequence[Measured]) -> None:
    """Prints one line per case, and the number of answers by status other than OK."""
    rows = {run.case.name: [_figures(run)] for run in runs}
    console = Console()
    console.print(grouped_table(HEADERS, rows), markup=False, highlight=False)
    console.print("Times are milliseconds; those of processes are processor time for an add.")
    console.print("Oldest: the longest that a change waited for the graph, in seconds.")
    for run in runs:
        for status, count in run.statuses.most_common():
            if status != "OK":
                console.print(f"{run.case.name}: {count:,} times {status}")


def _figures(run: Measured) -> list[str]:
    failed = sum(run.statuses.values()) - run.statuses["OK"]
    return [
        "",
        f"{run.figures.rate:,.1f}",
        f"{run.figures.p50_ms:,.0f}",
        f"{run.figures.p99_ms:,.0f}",
        *(f"{run.processor_ms[kind]:.2f}" for kind in KINDS),
        f"{run.lag_seconds:.2f}",
        f"{failed:,}",
    ]


async def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.models", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seconds", type=float, default=15.0, help="length of each load")
    parser.add_argument("--case", type=int, choices=range(len(CASES)), help="only this one")
    arguments = parser.parse_args()
    cases = CASES if arguments.case is None else [CASES[arguments.case]]
    with tempfile.TemporaryDirectory(prefix="memoir-bench-") as folder:
        print_table([await measure(case, Path(folder), arguments.seconds) for case in cases])


if __name__ == "__main__":
    uvloop.run(main())
