"""The user as whom PostgreSQL runs, which refuses to run as root."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from server.embedded.errors import MissingDependencyError

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
