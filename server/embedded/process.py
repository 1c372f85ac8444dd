"""One child process: started so that it cannot outlive this process, stopped step by step."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from server.embedded import launch
from server.embedded.account import Account
from server.embedded.directory import open_log

POLL_SECONDS = 0.05

Escalation = Sequence[tuple[signal.Signals, float]]
"""Signals to send one after the other, each with the seconds to wait for its effect."""

# What a database may need of the environment. The rest holds keys and settings of other programs.
INHERITED_VARIABLES = ("PATH", "HOME", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "JAVA_HOME")

# The kernel ties the death signal to the thread that forked, so all children come from one thread
# that lives as long as the process.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedded-spawner")


@dataclass(frozen=True, slots=True)
class ChildCommand:
    """What to run and how it ends.

    `death_signal` is what the kernel sends it when this process is gone (Linux); `account` is the
    user to become, None to stay the same.
    """

    arguments: Sequence[str]
    cwd: Path
    log: Path
    death_signal: signal.Signals
    account: Account | None = None


class ChildProcess:
    """A running child. Its output goes to a log file, its session is its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @classmethod
    def spawn(cls, command: ChildCommand) -> "ChildProcess":
        """Start `command`; takes a few milliseconds.

        Synchronous, so that no cancellation can come between the start and its record.
        Raises OSError when the operating system refuses.
        """
        return cls(_spawner.submit(_popen, command).result())

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def exit_status(self) -> int | None:
        """The exit status, negative for a signal, or None while it runs."""
        return self._process.poll()

    async def wait(self, timeout: float | None = None) -> int | None:
        """Return the exit status, or None when it still runs after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.exit_status()) is None:
            if deadline is not None and time.monotonic() > deadline:
                return None
            await asyncio.sleep(POLL_SECONDS)
        return status

    async def stop(self, escalation: Escalation) -> None:
        """Send the signals of `escalation` until the process has ended."""
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
