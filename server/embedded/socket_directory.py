"""The directory of PostgreSQL's socket, whose path must be short."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from server.embedded.account import Account

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
