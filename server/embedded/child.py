"""Runs child processes that cannot outlive this one, and stops them and their orphans in steps."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from server.embedded import launch
from server.embedded.directory import POLL_SECONDS, Account, EmbeddedError, open_log

Escalation = Sequence[tuple[signal.Signals, float]]
"""Signals to send one after another, each with the seconds to wait for its effect."""

Matcher = Callable[[psutil.Process], bool]

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
