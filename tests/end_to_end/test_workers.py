"""Several serving processes behind one port."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import grpc
import psutil
import pytest
import pytest_asyncio
from memoir.v1.memory_pb2 import Message
from memoir.v1.memory_service_pb2 import AddMemoriesRequest, ListMemoriesRequest
from memoir.v1.memory_service_pb2_grpc import MemoryServiceStub
from memoir.v1.statistics_service_pb2 import GetStatisticsRequest
from memoir.v1.statistics_service_pb2_grpc import StatisticsServiceStub

from tests.support.server import (
    PROJECT,
    Home,
    ServerProcess,
    clean_environment,
    create_project,
    key_of,
)

ADD = "memoir.v1.MemoryService/AddMemories"
CONNECTIONS = 12
"""With so many connections, one of two workers gets none of them once in 2,048 times."""

_PIDS = re.compile(r"2 workers: (\d+), (\d+)")
_METRICS = re.compile(r"metrics on (http\S+)")


@pytest_asyncio.fixture
async def home(postgres_dsn: str, tmp_path: Path) -> AsyncIterator[Home]:
    """A project without a graph, which these tests do not need."""
    await create_project(postgres_dsn, PROJECT)
    environment = clean_environment(
        MEMOIR_POSTGRES_DSN=postgres_dsn,
        MEMOIR_NEO4J_URI="bolt://127.0.0.1:9",
        MEMOIR_MODELS="offline",
        MEMOIR_GRPC_PORT="0",
        MEMOIR_METRICS_PORT="0",
        MEMOIR_WORKERS="2",
    )
    home = Home(environment, postgres_dsn, tmp_path)
    yield home
    await home.end()


@pytest_asyncio.fixture
async def server(home: Home) -> AsyncIterator[ServerProcess]:
    server = home.server()
    await server.start()
    yield server
    await server.stop()


class Callers:
    """Clients on separate connections, which the kernel distributes over the workers."""

    def __init__(self, address: str, key: str) -> None:
        # Channels with equal options would share one connection.
        self._channels = [
            grpc.aio.insecure_channel(address, options=[("memoir.connection", str(number))])
            for number in range(CONNECTIONS)
        ]
        self._metadata = (("authorization", f"Token {key}"),)

    async def add(self, number: int, user: str = "u") -> list[str]:
        """Adds one message, and returns the ids of the memories."""
        response = await MemoryServiceStub(self._channel(number)).AddMemories(
            AddMemoriesRequest(
                user_id=user,
                infer=False,
                request_id=str(UUID(int=number + 1)),
                messages=[Message(role="user", content=f"This is message {number}.")],
            ),
            metadata=self._metadata,
            wait_for_ready=True,
            timeout=20,
        )
        return [result.id for result in response.results]

    async def add_repeatedly(self, number: int) -> list[str]:
        """Adds one message, and sends the call again if its worker died before it answered."""
        async with asyncio.timeout(20):
            while True:
                try:
                    return await self.add(number)
                except grpc.aio.AioRpcError as error:
                    if error.code() is not grpc.StatusCode.UNAVAILABLE:
                        raise

    async def stored(self, user: str = "u") -> set[str]:
        """The ids of all memories of a user."""
        request, found = ListMemoriesRequest(user_id=user, page_size=1000), set[str]()
        while True:
            response = await MemoryServiceStub(self._channels[0]).ListMemories(
                request, metadata=self._metadata, wait_for_ready=True
            )
            found.update(memory.id for memory in response.memories)
            request.page_token = response.next_page_token
            if not request.page_token:
                return found

    async def calls_counted(self, number: int) -> int:
        """The number of adds in the statistics, read on one connection."""
        response = await StatisticsServiceStub(self._channel(number)).GetStatistics(
            GetStatisticsRequest(), metadata=self._metadata
        )
        methods = response.statistics.since_start.methods
        counted = [method.requests_by_status for method in methods if method.method == ADD]
        return sum(sum(by_status.values()) for by_status in counted)

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()

    def _channel(self, number: int) -> grpc.aio.Channel:
        return self._channels[number % CONNECTIONS]


@pytest_asyncio.fixture
async def callers(server: ServerProcess, home: Home) -> AsyncIterator[Callers]:
    callers = Callers(server.address, await key_of(home))
    yield callers
    await callers.close()


def printed(server: ServerProcess, pattern: re.Pattern[str]) -> re.Match[str]:
    found = pattern.search("".join(server.output))
    assert found
    return found


def workers_of(server: ServerProcess) -> list[int]:
    return [int(pid) for pid in printed(server, _PIDS).groups()]


async def metrics_of(server: ServerProcess) -> str:
    def read() -> str:
        with urllib.request.urlopen(printed(server, _METRICS)[1], timeout=30) as answer:
            return str(answer.read().decode())

    return await asyncio.to_thread(read)


async def counted_by_metrics(server: ServerProcess) -> int:
    text = await metrics_of(server)
    pattern = rf'rpc_server_call_duration_seconds_count{{rpc_method="{ADD}"[^}}]*}} (\S+)'
    return round(sum(map(float, re.findall(pattern, text))))


def served_by(server: ServerProcess) -> Counter[str]:
    """How many adds each worker logged."""
    lines = [line for line in server.log.splitlines() if f'"{ADD}"' in line]
    return Counter(re.findall(r'"worker":(\d)', "\n".join(lines)))


async def test_metrics_and_statistics_are_those_of_all_workers(
    server: ServerProcess, callers: Callers
) -> None:
    await asyncio.gather(*(callers.add(number) for number in range(4 * CONNECTIONS)))
    served = served_by(server)
    assert set(served) == {"0", "1"}
    assert served.total() == 4 * CONNECTIONS
    assert await counted_by_metrics(server) == 4 * CONNECTIONS
    assert re.search(r"^memoir_build_info\{.+\} 1.0$", await metrics_of(server), re.MULTILINE)
    for number in range(CONNECTIONS):
        assert await callers.calls_counted(number) == 4 * CONNECTIONS


async def test_a_worker_that_dies_is_replaced_and_what_it_counted_is_kept(
    server: ServerProcess, callers: Callers
) -> None:
    await asyncio.gather(*(callers.add(number) for number in range(CONNECTIONS)))
    assert await counted_by_metrics(server) == CONNECTIONS
    victim, other = workers_of(server)
    os.kill(victim, signal.SIGKILL)
    acknowledged = set()
    for number in range(CONNECTIONS, 6 * CONNECTIONS):
        acknowledged.update(await callers.add_repeatedly(number))
    number = 6 * CONNECTIONS
    async with asyncio.timeout(90):
        while "worker.restarted" not in server.log:
            acknowledged.update(await callers.add_repeatedly(number))
            number += 1
    assert len(acknowledged) == number - CONNECTIONS
    assert acknowledged <= await callers.stored()
    assert await counted_by_metrics(server) >= number
    await server.stop()
    assert "worker.died" in server.log
    with pytest.raises(ProcessLookupError):
        os.kill(other, 0)


async def test_all_workers_drain_together(home: Home, server: ServerProcess) -> None:
    callers = Callers(server.address, await key_of(home))
    user = f"user-{uuid4()}"
    outcomes: Counter[str] = Counter()
    acknowledged: set[str] = set()
    stopping = asyncio.Event()

    async def call(first: int) -> None:
        for number in range(first, 100_000, CONNECTIONS):
            try:
                acknowledged.update(await callers.add(number, user))
                outcomes["OK"] += 1
            except grpc.aio.AioRpcError as error:
                # A refused client reconnects later, but not to this server.
                outcomes[error.code().name] += 1
                return
            if outcomes.total() > 10 * CONNECTIONS:
                stopping.set()

    async def stop() -> int:
        await stopping.wait()
        return await server.stop()

    stopped = asyncio.create_task(stop())
    calling = [asyncio.create_task(call(number)) for number in range(CONNECTIONS)]
    assert await stopped == 0
    await asyncio.gather(*calling)
    await callers.close()
    # Accepted calls are answered; later ones are refused with a delay.
    assert outcomes["UNAVAILABLE"] == CONNECTIONS
    assert set(outcomes) == {"OK", "UNAVAILABLE"}
    again = home.server(MEMOIR_WORKERS="1")
    await again.start()
    reader = Callers(again.address, await key_of(home))
    assert acknowledged <= await reader.stored(user)
    await reader.close()
    await again.stop()


async def test_workers_end_with_their_supervisor(server: ServerProcess) -> None:
    workers = [psutil.Process(pid) for pid in workers_of(server)]
    await server.kill()
    _, alive = await asyncio.to_thread(psutil.wait_procs, workers, timeout=30)
    assert not alive


async def test_a_port_that_is_taken_is_refused(home: Home) -> None:
    with socket.socket() as taken:
        # Like a worker of another server, with which the kernel would share the port.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = home.server(
            MEMOIR_GRPC_HOST="127.0.0.1", MEMOIR_GRPC_PORT=str(taken.getsockname()[1])
        )
        with pytest.raises(AssertionError, match="did not start"):
            await server.start()
    assert "cannot listen on" in server.log
