"""Measures the goodput of the service under overload.

    python -m benchmarks.overload [--seconds N] [--rounds N]

Callers in a closed loop measure the capacity; then searches arrive at multiples of it in an open
loop, each with a deadline. Meanwhile another caller counts how it is refused. It starts its own
server.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from collections import Counter
from dataclasses import dataclass

import grpc
import uvloop
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from memoir.v1 import memory_service_pb2, memory_service_pb2_grpc
from rich.console import Console
from rich.table import Table

from benchmarks import ghz
from benchmarks.cases import USERS, Cases
from benchmarks.load import closed_loop
from benchmarks.running import running_server

CALLERS = 32
MULTIPLES = (1, 2, 5)
MEMORIES = 64 * USERS
DEADLINE_SECONDS = 1.0
PROBE_PAUSE_SECONDS = 0.05
METHOD = "memoir.v1.MemoryService/SearchMemories"
QUERY = "Who has been to Lisbon?"
BODY = {"user_id": f"user-{{{{randomInt 0 {USERS}}}}}", "query": QUERY}


@dataclass(frozen=True, slots=True)
class Measured:
    """One multiple of the capacity: the results of ghz, and those of the other caller."""

    capacity: float
    load: ghz.Run
    probed: Counter[str]

    @property
    def kept(self) -> float:
        """The goodput as a share of the capacity."""
        return self.load.goodput / self.capacity


class Probe:
    """A caller that counts its answers: `refused` has a reason and a delay, `bare` has not."""

    def __init__(self, channel: grpc.aio.Channel, key: str) -> None:
        self._stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
        self._metadata = (("authorization", f"Token {key}"),)
        self.answers: Counter[str] = Counter()

    async def run(self) -> None:
        """Calls until it is cancelled."""
        request = memory_service_pb2.SearchMemoriesRequest(user_id="user-1", query=QUERY)
        while True:
            try:
                await self._stub.SearchMemories(
                    request, metadata=self._metadata, timeout=DEADLINE_SECONDS
                )
                self.answers["OK"] += 1
            except grpc.aio.AioRpcError as error:
                self.answers[kind_of(error)] += 1
            await asyncio.sleep(PROBE_PAUSE_SECONDS)


def kind_of(error: grpc.aio.AioRpcError) -> str:
    """Returns `refused` if the error has RetryInfo, `late` at the deadline, else `bare`."""
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return "late"
    status = rpc_status.from_call(error)
    delays = [] if status is None else [d for d in status.details if d.Is(RETRY_INFO)]
    return "refused" if delays else f"bare {error.code().name}"


RETRY_INFO = error_details_pb2.RetryInfo.DESCRIPTOR


async def measure(target: ghz.Target, capacity: float, multiple: int, seconds: float) -> Measured:
    """Measures an open load at a multiple of the capacity."""
    async with grpc.aio.insecure_channel(target.address) as channel:
        probe = Probe(channel, target.key)
        probing = asyncio.create_task(probe.run())
        try:
            load = await ghz.open_loop(
                target, rate=capacity * multiple, deadline=DEADLINE_SECONDS, seconds=seconds
            )
        finally:
            probing.cancel()
            await asyncio.wait([probing])
    return Measured(capacity, load, probe.answers)


async def one_round(target: ghz.Target, seconds: float) -> dict[int, Measured]:
    """Measures the capacity, then all multiples of it."""
    capacity = (await ghz.closed(target, callers=CALLERS, seconds=seconds)).goodput
    return {multiple: await measure(target, capacity, multiple, seconds) for multiple in MULTIPLES}


def print_table(rounds: list[dict[int, Measured]]) -> None:
    """Prints the median round of each multiple, by goodput."""
    table = Table("offered", "calls/s", "good/s", "of capacity", "p50 ms", "p99 ms", "statuses")
    table.add_column("probe")
    for multiple in MULTIPLES:
        runs = [measured[multiple] for measured in rounds]
        middle = statistics.median_low(run.kept for run in runs)
        run = next(run for run in runs if run.kept == middle)
        load = run.load
        table.add_row(
            f"{multiple}x",
            f"{load.calls / load.seconds:,.0f}",
            f"{load.goodput:,.0f}",
            f"{run.kept:.2f}",
            f"{load.percentile_ms(50):.0f}",
            f"{load.percentile_ms(99):.0f}",
            _counts(load.statuses),
            _counts(run.probed),
        )
    Console().print(table)


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common())


def parse_arguments() -> argparse.Namespace:
    """Returns the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each load")
    parser.add_argument("--rounds", type=int, default=3, help="rounds")
    return parser.parse_args()


async def main() -> None:
    """Measures and prints."""
    arguments = parse_arguments()
    async with running_server(None, "") as (address, key):
        async with grpc.aio.insecure_channel(address) as channel:
            await closed_loop(Cases(channel, key).add_one, callers=16, calls=MEMORIES)
        target = ghz.Target(address, key, METHOD, BODY)
        print_table([await one_round(target, arguments.seconds) for _ in range(arguments.rounds)])


if __name__ == "__main__":
    uvloop.run(main())
