"""Runs several worker processes behind one port, and restarts those that die."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from server.core.values import CannotListen

FIRST_BACKOFF_SECONDS: Final = 0.1
MOST_BACKOFF_SECONDS: Final = 10.0
STABLE_SECONDS: Final = 60.0
"""A worker that has lived for this many seconds is restarted after the shortest pause."""

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


@contextmanager
def shared_port(host: str, port: int, setting: str = "MEMOIR_GRPC_PORT") -> Iterator[int]:
    """Holds a port during the block, for processes that listen on it with SO_REUSEPORT.

    The kernel distributes new connections among the listening processes; this process does not
    listen. Yields the port; 0 selects a free one. Error messages name `setting`, the port's
    environment variable.

    Raises:
        CannotListen: the port is taken, or the host is not an address of this machine.
    """
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = found[0]
    with socket.socket(family, kind, protocol) as probe:
        # Without SO_REUSEPORT this fails if any server listens, even if it would share the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(probe, address, f"{host}:{port}", setting)
        port = probe.getsockname()[1]
    with socket.socket(family, kind, protocol) as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(held, (address[0], port, *address[2:]), f"{host}:{port}", setting)
        yield port


def _bind(endpoint: socket.socket, address: tuple[object, ...], place: str, setting: str) -> None:
    try:
        endpoint.bind(address)
    except OSError as error:
        raise CannotListen(place, setting) from error


class WorkerFailed(Exception):
    """A worker ended before it was ready; it wrote the reason to standard error."""

    def __init__(self, number: int, status: int) -> None:
        super().__init__(
            f"worker {number} ended with status {status} before it was ready; its message above "
            "says why"
        )
        self.status = status


@dataclass(frozen=True, slots=True)
class WorkerCommand:
    """How to start each worker: the command, and what it reads from standard input.

    Standard input stays open as long as the supervisor lives; a worker stops when its input ends.
    """

    arguments: Sequence[str]
    inputs: Sequence[bytes]

    @property
    def count(self) -> int:
        """The number of workers."""
        return len(self.inputs)


class WorkerSupervisor:
    """Runs the workers, and restarts workers that die, after growing pauses.

    A worker writes one line to its standard output once it serves, and nothing else.
    """

    def __init__(self, command: WorkerCommand) -> None:
        self._command = command
        self._processes: dict[int, Process] = {}
        self._stopping = asyncio.Event()
        self.first_lines: list[bytes] = []
        """The lines that the workers wrote when they first served."""

    @property
    def pids(self) -> list[int]:
        """The ids of the running processes."""
        return [process.pid for process in self._processes.values()]

    async def start(self) -> None:
        """Starts the workers and returns once all of them serve.

        Raises:
            WorkerFailed: a worker ended instead.
        """
        numbers = range(self._command.count)
        self.first_lines = await asyncio.gather(*(self._spawn(number) for number in numbers))

    async def run(self) -> None:
        """Restarts workers until `stop` is called."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._command.count):
                group.create_task(self._keep(number))

    async def stop(self, seconds: float) -> None:
        """Drains all workers together, and kills workers that still run after `seconds`."""
        self._stopping.set()
        running = list(self._processes.values())
        for process in running:
            _signal(process, kill=False)
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(process.wait() for process in running))
        except TimeoutError:
            for process in running:
                _signal(process, kill=True)
            await asyncio.gather(*(process.wait() for process in running))

    async def _keep(self, number: int) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        began = time.monotonic()
        while True:
            status = await self._processes[number].wait()
            if self._stopping.is_set():
                return
            if time.monotonic() - began >= STABLE_SECONDS:
                backoff = FIRST_BACKOFF_SECONDS
            log.error("worker.died", worker=number, status=status, restart_seconds=backoff)
            if await self._stops_within(backoff):
                return
            backoff = min(2 * backoff, MOST_BACKOFF_SECONDS)
            began = time.monotonic()
            try:
                await self._spawn(number)
            except WorkerFailed:
                continue
            log.info("worker.restarted", worker=number)

    async def _stops_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._stopping.wait()
        except TimeoutError:
            return False

    async def _spawn(self, number: int) -> bytes:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *self._command.arguments,
            stdin=PIPE,
            stdout=PIPE,
            # Ctrl-C reaches only the supervisor, which then signals each worker once.
            start_new_session=True,
        )
        self._processes[number] = process
        if self._stopping.is_set():
            _signal(process, kill=False)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(self._command.inputs[number])
        line = await process.stdout.readline()
        if not line:
            raise WorkerFailed(number, await process.wait())
        return line


def _signal(process: Process, *, kill: bool) -> None:
    if process.returncode is None:
        process.kill() if kill else process.terminate()


@asynccontextmanager
async def supervised(
    command: WorkerCommand, stop_seconds: float
) -> AsyncIterator[WorkerSupervisor]:
    """Runs workers that serve during the block and are stopped at its end.

    Raises:
        WorkerFailed: a worker could not be started.
    """
    supervisor = WorkerSupervisor(command)
    keeping: asyncio.Task[None] | None = None
    try:
        await supervisor.start()
        keeping = asyncio.create_task(supervisor.run(), name="supervisor")
        yield supervisor
    finally:
        await supervisor.stop(stop_seconds)
        if keeping is not None:
            await keeping
