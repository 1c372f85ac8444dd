"""`python -m server ...`, forked from a process that has imported the server.

Importing the server takes seconds of CPU, and tests start it hundreds of times. Like an executed
process, a forked one has its own environment, arguments, standard streams and exit status.
"""

from __future__ import annotations

import asyncio
import atexit
import io
import multiprocessing
import operator
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

from server.__main__ import main

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.support.preloaded_server"])


class ForkedServer:
    """A running command, with the part of asyncio's interface of a subprocess that tests need."""

    def __init__(
        self, process: ForkServerProcess, stdout: asyncio.StreamReader, exited: asyncio.Event
    ) -> None:
        self._process = process
        self._exited = exited
        self.stdout = stdout

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, or None while the process runs; -N if signal N ended it."""
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        """Sends a signal to a process that may have ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    async def wait(self) -> int:
        """Waits for the end of the process and returns the exit status."""
        await self._exited.wait()
        status = self._process.exitcode
        assert status is not None
        return status


async def start_forked(
    *arguments: str, environment: Mapping[str, str], directory: Path, stderr: int
) -> ForkedServer:
    """Starts `python -m server` with these arguments and only this environment.

    `stderr` is the file descriptor of its standard error; the caller closes it.
    """
    reading, writing = os.pipe()
    process = _context.Process(
        target=_run,
        args=(arguments, dict(environment), directory, _Passed(writing), _Passed(stderr)),
        # A process that no test stops ends with the test run.
        daemon=True,
    )
    # The first start waits until the fork server has imported everything.
    await asyncio.to_thread(process.start)
    os.close(writing)
    loop = asyncio.get_running_loop()
    stdout = asyncio.StreamReader()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stdout), os.fdopen(reading, "rb")
    )
    return ForkedServer(process, stdout, _exit_of(process, loop))


def _exit_of(process: ForkServerProcess, loop: asyncio.AbstractEventLoop) -> asyncio.Event:
    exited = asyncio.Event()

    def note() -> None:
        loop.remove_reader(process.sentinel)
        exited.set()

    loop.add_reader(process.sentinel, note)
    return exited


@dataclass(frozen=True)
class _Passed:
    """A file descriptor that is duplicated into the process when it is pickled."""

    number: int

    def __reduce__(self) -> tuple[Callable[[Any], int], tuple[Any]]:
        return operator.methodcaller("detach"), (DupFd(self.number),)


def _run(
    arguments: tuple[str, ...],
    environment: Mapping[str, str],
    directory: Path,
    stdout: int,
    stderr: int,
) -> None:
    """Runs the command in the forked process."""
    for number, given in enumerate((os.open(os.devnull, os.O_RDONLY), stdout, stderr)):
        os.dup2(given, number)
        os.close(given)
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(write_through=True)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    sys.argv = ["server", *arguments]
    try:
        main()
    finally:
        # multiprocessing skips them when a child ends.
        atexit._run_exitfuncs()
