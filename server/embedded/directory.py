"""The data directory of an embedded database: its one owner, its private files and its logs."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from pathlib import Path
from typing import BinaryIO

from server.embedded.errors import DataDirectoryInUseError, EmbeddedError

LOCK_NAME = "owner.lock"
POLL_SECONDS = 0.05

MAX_LOG_BYTES = 8 * 1024 * 1024
"""A log larger than this is renamed at the next start; one old log is kept."""


class DirectoryLock:
    """Exclusive ownership of a directory, for as long as this process lives.

    The kernel releases the lock with the process, so a killed owner leaves nothing to clean up.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOCK_NAME
        self._file: BinaryIO | None = None

    async def acquire(self, timeout: float) -> None:
        """Takes ownership, waiting up to `timeout` seconds for a previous owner to finish.

        Raises:
            DataDirectoryInUseError: the other owner keeps it.
        """
        file = self._path.open("a+b")
        deadline = time.monotonic() + timeout
        try:
            while not _try_lock(file):
                if time.monotonic() > deadline:
                    raise DataDirectoryInUseError(self._in_use(file))
                await asyncio.sleep(POLL_SECONDS)
        except BaseException:
            file.close()
            raise
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        self._file = file

    def release(self) -> None:
        """Gives up ownership; without effect if the directory is not owned."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _in_use(self, file: BinaryIO) -> str:
        file.seek(0)
        owner = file.read().decode(errors="replace") or "unknown"
        return (
            f"{self._path.parent} is in use by process {owner}: stop that instance first, or use "
            "another data directory (MEMOIR_DATA_DIR)"
        )


def _try_lock(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def make_private(directory: Path) -> None:
    """Creates `directory` and its parents; a new one is open to its owner only.

    Raises:
        EmbeddedError: the file system does not allow it.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(
            f"cannot create the data directory {directory}: {error.strerror}; "
            "choose another one with MEMOIR_DATA_DIR"
        ) from error
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        raise EmbeddedError(
            f"no write access to the data directory {directory}: run as the user who created it, "
            "or choose another one with MEMOIR_DATA_DIR"
        )


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read, whole or not at all."""
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def open_log(path: Path) -> BinaryIO:
    """Opens the log `path` for appending, private to its owner; a large log is renamed first."""
    if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "ab")


def tail(path: Path) -> str:
    """Returns the last 20 lines of the log `path`, or a note that there is none."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return "(no log)"
    return "\n".join(text.splitlines()[-20:])
