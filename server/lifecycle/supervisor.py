"""Keeping several worker processes alive, and stopping them together."""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog

FIRST_BACKOFF_SECONDS: Final = 0.1
MOST_BACKOFF_SECONDS: Final = 10.0
STABLE_SECONDS: Final = 60.0
"""A worker that has lived this long is restarted without delay when it dies."""

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class WorkerFailed(Exception):
    """A worker ended before it served; it has said why on standard error."""

    def __init__(self, number: int, status: int) -> None:
        super().__init__(f"worker {number} ended with status {status} before it served")
        self.status = status


@dataclass(frozen=True, slots=True)
class WorkerCommand:
    """How the worker with a number is started: what runs, and what it reads from standard input.

    Standard input stays open for as long as the supervisor lives; a worker whose input ends stops.
    """

    arguments: Sequence[str]
    inputs: Sequence[bytes]

    @property
    def count(self) -> int:
        """How many workers there are."""
        return len(self.inputs)


class Supervisor:
    """Runs the workers, and restarts those that die, after ever longer pauses.

    A worker writes one line to its standard output once it serves, and nothing else.
    """

    def __init__(self, command: WorkerCommand) -> None:
        self._command = command
        self._processes: dict[int, Process] = {}
        self._stopping = asyncio.Event()
        self.first_words: list[bytes] = []
        """The lines that the workers wrote when they first served."""

    @property
    def pids(self) -> list[int]:
        """The processes that run now."""
        return [process.pid for process in self._processes.values()]

    async def start(self) -> None:
        """Returns once every worker serves.

        Raises:
            WorkerFailed: one ended instead.
        """
        numbers = range(self._command.count)
        self.first_words = await asyncio.gather(*(self._spawn(number) for number in numbers))

    async def run(self) -> None:
        """Restarts workers until `stop` is called."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._command.count):
                group.create_task(self._keep(number))

    async def stop(self, seconds: float) -> None:
        """Has all workers drain at once; those that still run after `seconds` are killed."""
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
            # Ctrl-C reaches the supervisor alone, which then tells the workers once.
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
async def supervised(command: WorkerCommand, stop_seconds: float) -> AsyncIterator[Supervisor]:
    """Workers that serve during the block and are stopped at its end.

    Raises:
        WorkerFailed: one could not be started.
    """
    supervisor = Supervisor(command)
    keeping: asyncio.Task[None] | None = None
    try:
        await supervisor.start()
        keeping = asyncio.create_task(supervisor.run(), name="supervisor")
        yield supervisor
    finally:
        await supervisor.stop(stop_seconds)
        if keeping is not None:
            await keeping
