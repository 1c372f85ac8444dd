"""Measures the effect of open `WatchMemoryEvents` streams on adds.

    python -m benchmarks.streams [--adds N] [--callers N] [--streams N ...]

It starts its own server. The streams watch other users than those of the adds, so they deliver no
events. Each number of streams is measured once in each round, so that slow moments of the machine
affect all of them; the median round counts. The streams have a separate connection, because a
server accepts 256 concurrent calls on each.
"""

from __future__ import annotations

import argparse
import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import grpc
import uvloop
from memoir.v1 import memory_pb2, memory_service_pb2, memory_service_pb2_grpc
from rich.console import Console
from rich.table import Table

from benchmarks.cases import sentence
from benchmarks.load import Figures, closed_loop
from benchmarks.running import running_server

Stub: TypeAlias = "memory_service_pb2_grpc.MemoryServiceAsyncStub"
Metadata = tuple[tuple[str, str], ...]


@asynccontextmanager
async def open_streams(stub: Stub, metadata: Metadata, count: int) -> AsyncIterator[None]:
    """Keeps `count` streams open during the block, each of another user."""
    calls = [
        stub.WatchMemoryEvents(
            memory_service_pb2.WatchMemoryEventsRequest(user_id=f"watched-{number}"),
            metadata=metadata,
        )
        for number in range(count)
    ]
    # The first response shows that the stream is open.
    await asyncio.gather(*(anext(aiter(call)) for call in calls))
    try:
        yield
    finally:
        for call in calls:
            call.cancel()


async def measure(stub: Stub, metadata: Metadata, arguments: argparse.Namespace) -> Figures:
    """Measures verbatim adds."""

    async def add(number: int) -> None:
        await stub.AddMemories(
            memory_service_pb2.AddMemoriesRequest(
                user_id=f"user-{number}",
                infer=False,
                messages=[memory_pb2.Message(role="user", content=sentence(number))],
            ),
            metadata=metadata,
        )

    return await closed_loop(add, callers=arguments.callers, calls=arguments.adds)


def parse_arguments() -> argparse.Namespace:
    """Returns the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streams", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--adds", type=int, default=1500, help="adds a measurement")
    parser.add_argument("--callers", type=int, default=32, help="calls at a time")
    parser.add_argument("--rounds", type=int, default=3, help="rounds")
    parser.add_argument(
        "--streams", type=int, nargs="+", default=[0, 50, 200], help="open streams to compare"
    )
    return parser.parse_args()


async def main() -> None:
    """Measures and prints."""
    arguments = parse_arguments()
    runs: defaultdict[int, list[Figures]] = defaultdict(list)
    async with (
        running_server(None, "") as (address, key),
        grpc.aio.insecure_channel(address) as channel,
        grpc.aio.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as other,
    ):
        metadata = (("authorization", f"Token {key}"),)
        stub: Stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
        watching: Stub = memory_service_pb2_grpc.MemoryServiceStub(other)
        await measure(stub, metadata, arguments)  # The first adds to a new database are slower.
        for _ in range(arguments.rounds):
            for count in arguments.streams:
                async with open_streams(watching, metadata, count):
                    runs[count].append(await measure(stub, metadata, arguments))
    table = Table("streams", "adds/s", "p50 ms", "p99 ms")
    for count, figures in runs.items():
        middle = sorted(figures, key=lambda run: run.rate)[len(figures) // 2]
        table.add_row(
            str(count), f"{middle.rate:,.0f}", f"{middle.p50_ms:.1f}", f"{middle.p99_ms:.1f}"
        )
    Console().print(table)


if __name__ == "__main__":
    uvloop.run(main())
