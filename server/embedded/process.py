"""Supervises the process of an embedded database: restarts it if it dies, and stops it."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

from server.embedded.child import ChildProcess, Escalation
from server.embedded.directory import (
    POLL_SECONDS,
    DirectoryLock,
    EmbeddedError,
    Progress,
    StartError,
    tail,
)

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 30.0

STABLE_SECONDS = 60.0
"""A process that ran for this many seconds is restarted after the shortest pause."""

Spawn = Callable[[], Awaitable[ChildProcess]]


class SupervisedProcess:
    """Runs the process that `spawn` starts until `stop` is called.

    `name` is for messages, `log` is where the process writes, and `escalation` is how it is
    stopped.
    """

    def __init__(
        self, name: str, spawn: Spawn, escalation: Escalation, log: Path, progress: Progress
    ) -> None:
        self._name = name
        self._spawn = spawn
        self._escalation = escalation
        self._log = log
        self._progress = progress
        self._stopping = asyncio.Event()
        self._child: ChildProcess | None = None
        self._task: asyncio.Task[None] | None = None
        self._ends = 0
        self._reason = ""

    @property
    def pid(self) -> int | None:
        """The id of the running process, or None while there is none."""
        child = self._child
        return child.pid if child is not None and child.exit_status() is None else None

    def begin(self) -> None:
        """Starts the process and supervises it in the background."""
        self._task = asyncio.create_task(self._run(), name=f"supervise-{self._name}")

    async def until(self, is_ready: Callable[[], Awaitable[bool]], timeout: float) -> None:
        """Waits until `is_ready` returns True.

        Raises:
            StartError: the process ends first or `timeout` seconds have passed.
        """
        ends, deadline = self._ends, time.monotonic() + timeout
        while not await is_ready():
            if self._ends > ends:
                raise StartError(self._explain(self._reason))
            if time.monotonic() > deadline:
                raise StartError(self._explain(f"did not answer within {timeout:g} s"))
            if self._task is None or self._task.done():
                raise StartError(self._explain("was stopped"))
            await asyncio.sleep(POLL_SECONDS)

    async def stop(self) -> None:
        """Stops the process and its supervision."""
        self._stopping.set()
        if self._child is not None:
            await self._child.stop(self._escalation)
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            started = time.monotonic()
            reason = await self._run_once()
            if self._stopping.is_set():
                return
            failures = 0 if time.monotonic() - started > STABLE_SECONDS else failures + 1
            pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (failures - 1))
            self._reason = reason
            self._ends += 1
            self._progress(f"{self._name} {reason}: restarting it in {pause:g} s")
            await self._sleep(pause)

    async def _run_once(self) -> str:
        try:
            child = self._child = await self._spawn()
        except (EmbeddedError, OSError) as error:
            return f"could not be started ({error})"
        if self._stopping.is_set():
            await child.stop(self._escalation)
        return f"ended with status {await child.wait()}"

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    def _explain(self, reason: str) -> str:
        return f"{self._name} {reason}. The end of {self._log}:\n{tail(self._log)}"


class EmbeddedServer(ABC):
    """A database server in a supervised process, with a data directory of its own."""

    def __init__(self, data_dir: Path, log_name: str, progress: Progress) -> None:
        self._home = data_dir.expanduser().resolve()
        self._log = self._home / log_name
        self._progress = progress
        self._lock = DirectoryLock(self._home)
        self._process: SupervisedProcess | None = None

    @property
    def pid(self) -> int | None:
        """The id of the process that was started, or None while it does not run."""
        return self._process.pid if self._process else None

    @property
    def log_path(self) -> Path:
        """The file with the standard output and error of the process."""
        return self._log

    @abstractmethod
    async def start(self) -> object:
        """Starts the server, waits until it can be used, and returns its address."""

    async def stop(self) -> None:
        """Stops the server and ends every process of it. Without effect if it does not run."""
        if self._process is not None:
            await self._process.stop()
            self._process = None
        self._lock.release()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()
