"""A disk that can be filled: a small file system in memory."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SIZE_MIB: Final = 1024
FULL_SECONDS: Final = 2.0
_FILLER: Final = "filler"


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """The folder as a file system of its own, or None where none may be mounted."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", str(folder)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode != 0:
        print(f"no full disk, for nothing can be mounted here: {mounted.stderr.decode().strip()}")
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def fill(disk: Path) -> None:
    """Leaves no room on the disk for a while."""
    filler = disk / _FILLER
    with filler.open("wb") as file:
        # PostgreSQL may take some of what is free before it is taken here.
        while not _take(file.fileno(), _free_bytes(disk)):
            continue
        await asyncio.sleep(FULL_SECONDS)
    filler.unlink()


def _free_bytes(disk: Path) -> int:
    free = os.statvfs(disk)
    return free.f_bavail * free.f_frsize


def _take(descriptor: int, size: int) -> bool:
    """Whether nothing is left, or all of it could be taken."""
    try:
        if size:
            os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False
    return True
