"""Keeps one child process running: restarts it after ever longer pauses if it ends unexpectedly."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from server.embedded.directory import tail
from server.embedded.errors import EmbeddedError, Progress, StartError
from server.embedded.process import POLL_SECONDS, ChildProcess, Escalation

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 30.0

STABLE_SECONDS = 60.0
"""A process that ran for this many seconds is restarted after the shortest pause."""

Launch = Callable[[], Awaitable[ChildProcess]]


class Supervisor:
    """Runs the process that `launch` starts until `stop` is called.

    `name` is for messages, `log` is where the process writes, and `escalation` is how it is
    stopped.
    """

    def __init__(
        self, name: str, launch: Launch, escalation: Escalation, log: Path, progress: Progress
    ) -> None:
        self._name = name
        self._launch = launch
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
        """Start the process and supervise it, in the background."""
        self._task = asyncio.create_task(self._run(), name=f"supervise-{self._name}")

    async def until(self, is_ready: Callable[[], Awaitable[bool]], timeout: float) -> None:
        """Wait until `is_ready`.

        Raises StartError when the process ends first or `timeout` seconds have passed.
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
        """Stop the process and its supervision."""
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
            self._progress.step(f"{self._name} {reason}: starting it again in {pause:g} s")
            await self._sleep(pause)

    async def _run_once(self) -> str:
        try:
            child = self._child = await self._launch()
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
