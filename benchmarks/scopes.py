"""Measures searches in scopes of different sizes.

    python -m benchmarks.scopes [--sizes 600 10000] [--searches N] [--callers N]
        [--index-mb N]

Each size is one user; all of them are in one table. It starts its own server, and vacuums the table
before it searches, as autovacuum does within a minute: until then, checking a scope that is held
reads each of its rows.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import grpc
import uvloop
from memoir.v1 import memory_pb2, memory_service_pb2, memory_service_pb2_grpc
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.cases import PLACES, sentence
from benchmarks.load import Figures, closed_loop
from benchmarks.processor_time import (
    POSTGRES,
    SERVER,
    milliseconds_a_call,
    processor_seconds,
)
from benchmarks.running import prepared
from benchmarks.servers import PROJECT, postgres, serving

MESSAGES_PER_ADD = 100
WARM_UP_SEARCHES = 20


class Scopes:
    """Users with different numbers of memories."""

    def __init__(self, channel: grpc.aio.Channel, key: str) -> None:
        self._stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
        self._metadata = (("authorization", f"Token {key}"),)

    async def fill(self, size: int, progress: Progress) -> None:
        """Adds `size` memories for the user of that size."""
        task = progress.add_task(f"adding {size:,}", total=size)
        for start in range(0, size, MESSAGES_PER_ADD):
            numbers = range(start, min(start + MESSAGES_PER_ADD, size))
            await self._stub.AddMemories(
                memory_service_pb2.AddMemoriesRequest(
                    user_id=f"user-{size}",
                    infer=False,
                    output_format="v1.1",
                    messages=[
                        memory_pb2.Message(role="user", content=sentence(n)) for n in numbers
                    ],
                ),
                metadata=self._metadata,
            )
            progress.advance(task, len(numbers))

    async def measure(
        self, size: int, searches: int, callers: int
    ) -> tuple[Figures, Mapping[str, float]]:
        """Searches the user of that size; returns the figures and the processor time per search."""

        async def search(number: int) -> None:
            place = PLACES[number % len(PLACES)]
            await self._stub.SearchMemories(
                memory_service_pb2.SearchMemoriesRequest(
                    user_id=f"user-{size}", query=f"Who repaired a bicycle in {place}?"
                ),
                metadata=self._metadata,
            )

        await closed_loop(search, callers=callers, calls=WARM_UP_SEARCHES)
        before = processor_seconds()
        figures = await closed_loop(search, callers=callers, calls=searches)
        return figures, milliseconds_a_call(before, processor_seconds(), searches)


def parse_arguments() -> argparse.Namespace:
    """Returns the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scopes", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--sizes", type=int, nargs="+", default=[600, 10_000], help="memories")
    parser.add_argument("--searches", type=int, default=200, help="searches a size")
    parser.add_argument("--index-mb", default="256", help="memory for scopes; 0 holds none")
    parser.add_argument("--callers", type=int, default=1, help="searches at a time")
    return parser.parse_args()


@asynccontextmanager
async def filled(sizes: Sequence[int], **variables: str) -> AsyncIterator[Scopes]:
    """Starts a server with these settings for the block, and adds the memories of all sizes."""
    with tempfile.TemporaryDirectory(prefix="memoir-bench-") as name:
        folder = Path(name)
        async with (
            postgres(folder / "postgres") as server_dsn,
            prepared(server_dsn, PROJECT, **variables) as (environment, key),
            serving(
                "-m", "server", "serve", environment=environment, log=folder / "log"
            ) as address,
            grpc.aio.insecure_channel(address) as channel,
        ):
            scopes = Scopes(channel, key)
            with Progress() as progress:
                for size in sizes:
                    await scopes.fill(size, progress)
            await vacuum(environment["MEMOIR_POSTGRES_DSN"])
            yield scopes


async def vacuum(dsn: str) -> None:
    """Vacuums a database."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def main() -> None:
    """Fills, measures and prints."""
    arguments = parse_arguments()
    table = Table(
        *("memories in the scope", "searches/s", "p50 ms", "p95 ms"),
        *("server, processor ms", "PostgreSQL, processor ms"),
    )
    async with filled(arguments.sizes, MEMOIR_SEARCH_INDEX_MB=arguments.index_mb) as scopes:
        for size in arguments.sizes:
            found, took = await scopes.measure(size, arguments.searches, arguments.callers)
            table.add_row(
                *(f"{size:,}", f"{found.rate:.0f}", f"{found.p50_ms:.1f}", f"{found.p95_ms:.1f}"),
                *(f"{took.get(kind, 0.0):.2f}" for kind in (SERVER, POSTGRES)),
            )
    Console().print(table)


if __name__ == "__main__":
    uvloop.run(main())
