"""The data directory of an embedded database and its owner, and the errors of such databases."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pwd
import stat
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias


class EmbeddedError(Exception):
    """An embedded database cannot be used."""


class MissingDependencyError(EmbeddedError):
    """Something that has to be installed first is missing."""


class DataDirectoryInUseError(EmbeddedError):
    """Another living process owns the data directory."""


class StartError(EmbeddedError):
    """The database process was started but did not become usable."""


Progress: TypeAlias = Callable[[str], None]
"""Receives a short sentence at the beginning of each step. Must not block or raise."""


def no_progress(_step: str) -> None:
    """Reports nothing."""


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


UNPRIVILEGED_USER = "nobody"


@dataclass(frozen=True, slots=True)
class Account:
    """A user to run as. With `bypass`, permissions of directories do not stop it."""

    uid: int
    gid: int
    bypass: bool


def choose_account(directory: Path, programs: Path) -> Account | None:
    """Returns the user as whom PostgreSQL runs for data in `directory`; None: the current user.

    An existing `directory` keeps its owner. `programs` is where the binaries are.

    Raises:
        MissingDependencyError: this is root, and there is no other user to run PostgreSQL.
    """
    if os.geteuid() != 0:
        return None
    uid, gid = _owner(directory) or _unprivileged()
    bypass = not all(_passable(path, uid, gid) for path in _folders(directory, programs))
    return Account(uid, gid, bypass)


def _owner(directory: Path) -> tuple[int, int] | None:
    if not directory.exists():
        return None
    status = directory.stat()
    return (status.st_uid, status.st_gid) if status.st_uid != 0 else None


def _unprivileged() -> tuple[int, int]:
    try:
        entry = pwd.getpwnam(UNPRIVILEGED_USER)
    except KeyError:
        raise MissingDependencyError(
            f"PostgreSQL does not run as root, and this machine has no user '{UNPRIVILEGED_USER}' "
            "to run it: start Memoir as a normal user, or set MEMOIR_POSTGRES_DSN"
        ) from None
    return entry.pw_uid, entry.pw_gid


def _folders(directory: Path, programs: Path) -> Iterable[Path]:
    yield from directory.parents
    yield programs
    yield from programs.parents


def _passable(folder: Path, uid: int, gid: int) -> bool:
    status = folder.stat()
    if status.st_uid == uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


MAX_SOCKET_PATH_BYTES = 103
"""The longest socket path that works on every system: macOS allows 103, Linux 107."""

# PostgreSQL and asyncpg parse lists of directories, in which these characters are separators.
UNSAFE_CHARACTERS = frozenset(",\"'@")

POINTER_NAME = "socket-directory"


class SocketDirectory:
    """Inside `home` if its path allows, otherwise a temporary directory that `home` remembers."""

    def __init__(self, home: Path, socket_name: str) -> None:
        self._inside = home / "socket"
        self._pointer = home / POINTER_NAME
        self._socket_name = socket_name
        self.path = self._inside

    def create(self, account: Account | None) -> None:
        """Creates the directory, empty and open to `account` only; its path survives restarts.

        Raises:
            OSError: the file system does not allow it.
        """
        if self._fits(self._inside):
            self._inside.mkdir(mode=0o700, exist_ok=True)
        else:
            self.path = self._remembered(account) or self._make_temporary()
        for leftover in self.path.iterdir():
            leftover.unlink()
        if account is not None:
            os.chown(self.path, account.uid, account.gid)

    def _fits(self, directory: Path) -> bool:
        path = str(directory / self._socket_name)
        return len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES and not UNSAFE_CHARACTERS & set(path)

    def _remembered(self, account: Account | None) -> Path | None:
        # Others can write beside it, so it is used only if it is still private and ours.
        try:
            path = Path(self._pointer.read_text())
            status = path.lstat()
        except OSError:
            return None
        owner = os.geteuid() if account is None else account.uid
        is_ours = path.is_dir() and not path.is_symlink() and status.st_uid == owner
        return path if is_ours and status.st_mode & 0o077 == 0 else None

    def _make_temporary(self) -> Path:
        path = Path(tempfile.mkdtemp(prefix="memoir-"))
        if not self._fits(path):
            path.rmdir()
            path = Path(tempfile.mkdtemp(prefix="memoir-", dir="/tmp"))
        self._pointer.write_text(str(path))
        return path
