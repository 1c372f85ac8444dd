"""Runs child processes that cannot outlive this one, stops them in steps, and restarts them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from server.embedded import launch
from server.embedded.directory import (
    POLL_SECONDS,
    Account,
    DirectoryLock,
    EmbeddedError,
    Progress,
    StartError,
    open_log,
    tail,
)

Escalation = Sequence[tuple[signal.Signals, float]]
"""Signals to send one after another, each with the seconds to wait for its effect."""

# The variables that a database may need. Others hold keys and settings of other programs.
INHERITED_VARIABLES = ("PATH", "HOME", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "JAVA_HOME")

# The kernel sends the death signal when the thread that forked ends, so a thread that lives as long
# as the process starts all children.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedded-spawner")


@dataclass(frozen=True, slots=True)
class ChildCommand:
    """The command of a child process, and how it ends.

    The kernel sends it `death_signal` when this process has ended (Linux). `account` is the user to
    switch to, None to keep the current user.
    """

    arguments: Sequence[str]
    cwd: Path
    log: Path
    death_signal: signal.Signals
    account: Account | None = None


class ChildProcess:
    """A running child process in its own session, with its output in a log file."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @classmethod
    def spawn(cls, command: ChildCommand) -> ChildProcess:
        """Starts `command`; takes a few milliseconds.

        Synchronous, so that no cancellation can occur between the start and recording it.

        Raises:
            OSError: the operating system refuses.
        """
        return cls(_spawner.submit(_popen, command).result())

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def exit_status(self) -> int | None:
        """Returns the exit status, negative for a signal, or None while it runs."""
        return self._process.poll()

    async def wait(self, timeout: float | None = None) -> int | None:
        """Returns the exit status, or None if it still runs after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.exit_status()) is None:
            if deadline is not None and time.monotonic() > deadline:
                return None
            await asyncio.sleep(POLL_SECONDS)
        return status

    async def stop(self, escalation: Escalation) -> None:
        """Sends the signals of `escalation` until the process has ended."""
        for number, seconds in escalation:
            if self.exit_status() is not None:
                return
            self._process.send_signal(number)
            await self.wait(seconds)


def _popen(command: ChildCommand) -> subprocess.Popen[bytes]:
    account = command.account
    user = (-1, -1, 0) if account is None else (account.uid, account.gid, int(account.bypass))
    with open_log(command.log) as log:
        return subprocess.Popen(
            [
                sys.executable,
                *("-I", "-S"),
                launch.__file__,
                *(str(number) for number in (os.getpid(), int(command.death_signal), *user)),
                *command.arguments,
            ],
            cwd=command.cwd,
            env=_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _environment(inherited: Mapping[str, str]) -> dict[str, str]:
    kept = {name: inherited[name] for name in INHERITED_VARIABLES if name in inherited}
    return kept | {"LC_ALL": "C.UTF-8"}


Matcher = Callable[[psutil.Process], bool]


async def evict(matches: Matcher, escalation: Escalation) -> int:
    """Stops every process that `matches`, and returns their number.

    The caller must own their data directory, so that they belong to no living process.

    Raises:
        EmbeddedError: one survives all of `escalation`.
    """
    orphans = await asyncio.to_thread(find, matches)
    for number, seconds in escalation:
        for orphan in _running(orphans):
            with suppress(psutil.NoSuchProcess):
                orphan.send_signal(number)
        await _wait_gone(orphans, seconds)
    if survivors := [orphan.pid for orphan in _running(orphans)]:
        raise EmbeddedError(
            f"processes {survivors} of an earlier run do not end: kill them and start again"
        )
    return len(orphans)


def find(matches: Matcher) -> list[psutil.Process]:
    """Returns the processes that `matches`, without those that cannot be inspected."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if not _has_ended(process) and matches(process):
                found.append(process)
    return found


def _running(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if _is_running(process)]


def _is_running(process: psutil.Process) -> bool:
    # is_running() compares start times, so a reused process id does not count.
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and not _has_ended(process)
    return False


def _has_ended(process: psutil.Process) -> bool:
    # The main thread of a killed Java process can be a zombie while others still hold files and
    # ports.
    return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1


async def _wait_gone(processes: Sequence[psutil.Process], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not _running(processes):
            return
        await asyncio.sleep(POLL_SECONDS)


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
