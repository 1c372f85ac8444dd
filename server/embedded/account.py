"""The user that PostgreSQL runs as, and a private directory for its socket."""

import os
import pwd
import stat
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from server.embedded.directory import MissingDependencyError

UNPRIVILEGED_USER = "nobody"


@dataclass(frozen=True, slots=True)
class Account:
    """A user to run as. With `bypass`, it may pass through directories that it may not enter."""

    uid: int
    gid: int
    bypass: bool


def choose_account(directory: Path, programs: Path) -> Account | None:
    """Returns the user as whom PostgreSQL runs for data in `directory`; None: the current user.

    An existing `directory` keeps its owner. `programs` is where the binaries are. Raises
    MissingDependencyError when root finds no other user to run it as.
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

        Raises OSError if the file system does not allow it.
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
