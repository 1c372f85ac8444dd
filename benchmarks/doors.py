"""Measures the cost of a call for the server over gRPC, over Mem0's paths and as plain JSON.

    make bench    # or: python -m benchmarks.doors [--rounds N] [--calls N]

The doors take turns on one server, and the median round counts. The figure is the processor time of
the serving process, because the load takes the rest of the machine.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import uvloop
from memoir.v1.memory_service_pb2 import GetMemoryRequest, ListMemoriesRequest
from memoir.v1.memory_service_pb2_grpc import MemoryServiceStub
from rich.console import Console
from rich.table import Table

from benchmarks.cases import PLACES, Cases, sentence, user
from benchmarks.load import closed_loop
from benchmarks.processor_time import SERVER, milliseconds_a_call, processor_seconds
from benchmarks.running import prepared
from benchmarks.servers import postgres, serving

CALLERS = 16
WARM_UP_CALLS = 200
GRPC, MEM0, JSON = "gRPC", "Mem0's paths", "JSON"

Call = Callable[[int], Awaitable[object]]


class HttpCases:
    """The calls of the benchmark over Mem0's paths or as plain JSON."""

    def __init__(self, session: aiohttp.ClientSession, memory_id: str, *, mem0: bool) -> None:
        self._session = session
        self._add = "/v3/memories/add/" if mem0 else "/memoir/v1/memories:add"
        self._search = "/v1/memories/search/" if mem0 else "/memoir/v1/memories:search"
        self._get = f"/v1/memories/{memory_id}/" if mem0 else f"/memoir/v1/memories/{memory_id}"

    async def add(self, number: int) -> None:
        """Adds one message verbatim."""
        messages = [{"role": "user", "content": sentence(number)}]
        await self._post(self._add, {"user_id": user(number), "infer": False, "messages": messages})

    async def search(self, number: int) -> None:
        """Searches one user's memories."""
        query = f"Who has been to {PLACES[number % len(PLACES)]}?"
        await self._post(self._search, {"user_id": user(number), "query": query})

    async def get(self, _number: int) -> None:
        """Reads one memory."""
        async with self._session.get(self._get) as answer:
            answer.raise_for_status()
            await answer.read()

    async def _post(self, path: str, body: Mapping[str, Any]) -> None:
        async with self._session.post(path, json=body) as answer:
            answer.raise_for_status()
            await answer.read()


async def main() -> None:
    """Runs the rounds and prints a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.doors", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: %(default)s)")
    parser.add_argument("--calls", type=int, default=2000, help="calls a case (default: 2000)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memoir-doors-") as folder:
        async with (
            postgres(Path(folder) / "postgres") as dsn,
            prepared(dsn, "doors", MEMOIR_HTTP_PORT=str(port := _free_port())) as (settings, key),
            serving(
                "-m", "server", "serve", environment=settings, log=Path(folder) / "log"
            ) as address,
            grpc.aio.insecure_channel(address) as channel,
            aiohttp.ClientSession(
                f"http://127.0.0.1:{port}", headers={"authorization": f"Token {key}"}
            ) as session,
        ):
            doors = await _doors(channel, session, key)
            print_table(await measured(doors, arguments.rounds, arguments.calls))


async def _doors(
    channel: grpc.aio.Channel, session: aiohttp.ClientSession, key: str
) -> dict[str, Mapping[str, Call]]:
    cases = Cases(channel, key)
    await cases.add_one(0)
    metadata = (("authorization", f"Token {key}"),)
    stub = MemoryServiceStub(channel)
    first = (await stub.ListMemories(ListMemoriesRequest(), metadata=metadata)).memories[0].id

    async def get(_number: int) -> None:
        await stub.GetMemory(GetMemoryRequest(id=first), metadata=metadata)

    doors: dict[str, Mapping[str, Call]] = {
        GRPC: {"get": get, "verbatim add": cases.add_one, "search": cases.search}
    }
    for name in (MEM0, JSON):
        over_http = HttpCases(session, first, mem0=name == MEM0)
        doors[name] = {
            "get": over_http.get,
            "verbatim add": over_http.add,
            "search": over_http.search,
        }
    return doors


async def measured(
    doors: Mapping[str, Mapping[str, Call]], rounds: int, calls: int
) -> dict[tuple[str, str], float]:
    """Returns the server's processor time per call in milliseconds, by case and door."""
    costs: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    begin = 1
    for case in doors[GRPC]:
        for _ in range(rounds):
            for door, methods in doors.items():
                call = methods[case]
                await closed_loop(_from(call, begin), callers=CALLERS, calls=WARM_UP_CALLS)
                begin += WARM_UP_CALLS
                before = processor_seconds()
                await closed_loop(_from(call, begin), callers=CALLERS, calls=calls)
                begin += calls
                costs[case, door].append(
                    milliseconds_a_call(before, processor_seconds(), calls)[SERVER]
                )
    return {key: statistics.median(values) for key, values in costs.items()}


def _from(call: Call, begin: int) -> Call:
    return lambda number: call(begin + number)


def print_table(costs: Mapping[tuple[str, str], float]) -> None:
    """Prints each door's cost, and the difference from gRPC's."""
    table = Table("", GRPC, MEM0, JSON, title="processor time of the server, ms a call")
    for case in dict.fromkeys(case for case, _ in costs):
        base = costs[case, GRPC]
        others = (
            f"{costs[case, door]:.2f} ({costs[case, door] - base:+.2f})" for door in (MEM0, JSON)
        )
        table.add_row(case, f"{base:.2f}", *others)
    Console().print(table)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    uvloop.run(main())
