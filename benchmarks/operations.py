"""Measures how fast asynchronous adds are accepted and completed.

    python -m benchmarks.operations [--adds N] [--callers N] [--users N] [--rounds N]

It starts its own server. Each round submits all adds and then waits until none is left, so the
server works on the first adds while it accepts the rest. The median round counts.
"""

from __future__ import annotations

import argparse
import asyncio
import time

import grpc
import uvloop
from google.longrunning import operations_pb2
from memoir.v1 import memory_pb2, memory_service_pb2, memory_service_pb2_grpc
from rich.console import Console
from rich.table import Table

from benchmarks.cases import sentence
from benchmarks.load import Figures, closed_loop
from benchmarks.running import running_server

LOOK_SECONDS = 0.02


async def measure(
    channel: grpc.aio.Channel, key: str, arguments: argparse.Namespace, start: int
) -> tuple[Figures, float]:
    """Returns the figures of acceptance, and the adds completed per second since the first."""
    stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
    metadata = (("authorization", f"Token {key}"),)

    async def accept(number: int) -> None:
        await stub.AddMemories(
            memory_service_pb2.AddMemoriesRequest(
                user_id=f"user-{number % arguments.users}",
                infer=False,
                async_mode=True,
                output_format="v1.1",
                messages=[memory_pb2.Message(role="user", content=sentence(start + number))],
            ),
            metadata=metadata,
        )

    listing: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
        "/google.longrunning.Operations/ListOperations"
    )
    undone = operations_pb2.ListOperationsRequest(filter="done = false", page_size=1)
    begun = time.perf_counter()
    accepted = await closed_loop(accept, callers=arguments.callers, calls=arguments.adds)
    while await listing(undone.SerializeToString(), metadata=metadata):  # noqa: ASYNC110 - another process works
        await asyncio.sleep(LOOK_SECONDS)
    return accepted, arguments.adds / (time.perf_counter() - begun)


def parse_arguments() -> argparse.Namespace:
    """Returns the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operations", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--adds", type=int, default=3000, help="adds a round")
    parser.add_argument("--callers", type=int, default=64, help="calls at a time")
    parser.add_argument("--users", type=int, default=500, help="scopes of the adds")
    parser.add_argument("--rounds", type=int, default=3, help="rounds")
    return parser.parse_args()


async def main() -> None:
    """Measures and prints."""
    arguments = parse_arguments()
    table = Table("accepted/s", "p50 ms", "p99 ms", "done/s")
    async with (
        running_server(None, "") as (address, key),
        grpc.aio.insecure_channel(address) as channel,
    ):
        runs = [
            await measure(channel, key, arguments, number * arguments.adds)
            for number in range(arguments.rounds)
        ]
    accepted, done = sorted(runs, key=lambda run: run[1])[len(runs) // 2]
    table.add_row(
        f"{accepted.rate:,.0f}", f"{accepted.p50_ms:.1f}", f"{accepted.p99_ms:.1f}", f"{done:,.0f}"
    )
    Console().print(table)


if __name__ == "__main__":
    uvloop.run(main())
