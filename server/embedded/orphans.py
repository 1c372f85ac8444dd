"""Database processes whose owner is gone but that have not ended yet."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import psutil

from server.embedded.errors import EmbeddedError
from server.embedded.process import POLL_SECONDS, Escalation

Matcher = Callable[[psutil.Process], bool]


async def evict(matches: Matcher, escalation: Escalation) -> int:
    """Stop every process that `matches` and return how many there were.

    The caller must own their data directory, so that they belong to nobody who lives.
    Raises EmbeddedError when one survives all of `escalation`.
    """
    orphans = await asyncio.to_thread(find, matches)
    for number, seconds in escalation:
        for orphan in _running(orphans):
            with suppress(psutil.NoSuchProcess):
                orphan.send_signal(number)
        await _wait_gone(orphans, seconds)
    if survivors := [orphan.pid for orphan in _running(orphans)]:
        raise EmbeddedError(f"processes {survivors} of an earlier run do not end: stop them first")
    return len(orphans)


def find(matches: Matcher) -> list[psutil.Process]:
    """Return the processes that `matches`, leaving out those that cannot be looked at."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if not _has_ended(process) and matches(process):
                found.append(process)
    return found


def _running(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if _is_running(process)]


def _is_running(process: psutil.Process) -> bool:
    # is_running() compares start times, so a process id that was given away again does not count.
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and not _has_ended(process)
    return False


def _has_ended(process: psutil.Process) -> bool:
    # The first thread of a killed Java process is a zombie while others still hold files and ports.
    return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1


async def _wait_gone(processes: Sequence[psutil.Process], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not _running(processes):
            return
        await asyncio.sleep(POLL_SECONDS)
