"""Measures how long the work of a killed server waits for another server.

    python -m benchmarks.takeover [--rounds N]

Two servers use one database. One of them is killed by SIGKILL shortly before it commits an add with
inference. Then the other continues: with a call that is repeated with its `request_id`, and with an
asynchronous add. The times of calls count from the death, the times of asynchronous adds from their
acceptance, shortly before it.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import grpc
import uvloop
from google.longrunning import operations_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from memoir.v1 import memory_pb2, memory_service_pb2, memory_service_pb2_grpc
from rich.console import Console
from rich.table import Table

from benchmarks.running import prepared
from benchmarks.servers import PROJECT, postgres, serving

LOOK_SECONDS = 0.01
PATIENCE_SECONDS = 60.0
DYING = {"MEMOIR_ALLOW_FAILPOINTS": "true", "MEMOIR_FAILPOINTS": "add.before_commit:1"}

Metadata = tuple[tuple[str, str], ...]


def an_add(*, async_mode: bool) -> memory_service_pb2.AddMemoriesRequest:
    """Returns an add with inference for a new user."""
    return memory_service_pb2.AddMemoriesRequest(
        user_id=str(uuid4()),
        request_id=str(uuid4()),
        async_mode=async_mode,
        output_format="v1.1",
        messages=[memory_pb2.Message(role="user", content="I work at Acme.")],
    )


async def sent(
    channel: grpc.aio.Channel, request: memory_service_pb2.AddMemoriesRequest, metadata: Metadata
) -> bool:
    """Whether it was answered."""
    stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
    try:
        await stub.AddMemories(request, metadata=metadata, timeout=PATIENCE_SECONDS)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        return False
    return True


async def repeated(dying: grpc.aio.Channel, other: grpc.aio.Channel, metadata: Metadata) -> float:
    """Returns the seconds until the other server answers a call of a server that died."""
    request = an_add(async_mode=False)
    while await sent(dying, request, metadata):
        request = an_add(async_mode=False)
    died = time.perf_counter()
    if not await sent(other, request, metadata):
        raise RuntimeError("the other server does not answer")
    return time.perf_counter() - died


async def taken_over(dying: grpc.aio.Channel, other: grpc.aio.Channel, metadata: Metadata) -> float:
    """Returns the seconds until the other server completes an add of a server that died."""
    while True:
        await sent(dying, an_add(async_mode=True), metadata)
        begun = time.perf_counter()
        await emptied(other, metadata)
        seconds = time.perf_counter() - begun
        # Either server may claim an add, so this repeats until the dying one does.
        if not await answers(dying):
            return seconds


async def answers(channel: grpc.aio.Channel) -> bool:
    """Whether the server answers."""
    try:
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    except grpc.aio.AioRpcError:
        return False
    return True


async def emptied(channel: grpc.aio.Channel, metadata: Metadata) -> None:
    """Waits until no operation is left."""
    listing: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
        "/google.longrunning.Operations/ListOperations"
    )
    undone = operations_pb2.ListOperationsRequest(filter="done = false", page_size=1)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await listing(undone.SerializeToString(), metadata=metadata):  # noqa: ASYNC110 - another process works
            await asyncio.sleep(LOOK_SECONDS)


async def measure(environment: Mapping[str, str], key: str, folder: Path) -> dict[str, float]:
    """Measures both times, each with another dying server."""
    metadata = (("authorization", f"Token {key}"),)
    found: dict[str, float] = {}
    async with AsyncExitStack() as stack:
        for name, measured in (("repeated call", repeated), ("asynchronous add", taken_over)):
            dying = await stack.enter_async_context(reached({**environment, **DYING}, folder))
            other = await stack.enter_async_context(reached(environment, folder))
            found[name] = await measured(dying, other, metadata)
    return found


@asynccontextmanager
async def reached(environment: Mapping[str, str], folder: Path) -> AsyncIterator[grpc.aio.Channel]:
    """Runs a server during the block; yields a channel to it."""
    command = ("-m", "server", "serve")
    async with (
        serving(*command, environment=environment, log=folder / "log") as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        yield channel


async def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.takeover", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rounds", type=int, default=5, help="deaths of each kind")
    arguments = parser.parse_args()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="memoir-bench-")))
        dsn = await stack.enter_async_context(postgres(folder / "postgres"))
        environment, key = await stack.enter_async_context(prepared(dsn, PROJECT))
        rounds = [await measure(environment, key, folder) for _ in range(arguments.rounds)]
    table = Table("waits", "median s", "least s", "most s")
    for name in rounds[0]:
        times = [found[name] for found in rounds]
        spread = (statistics.median(times), min(times), max(times))
        table.add_row(name, *(f"{seconds:.2f}" for seconds in spread))
    Console().print(table)


if __name__ == "__main__":
    uvloop.run(main())
