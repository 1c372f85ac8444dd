"""A small file system in memory that can be filled."""

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
    """Mounts a file system at the folder, or yields None if mounting is not permitted."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", str(folder)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode != 0:
        print(f"no full disk, because mount failed: {mounted.stderr.decode().strip()}")
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def fill(disk: Path) -> None:
    """Fills the disk for a while."""
    filler = disk / _FILLER
    with filler.open("wb") as file:
        # PostgreSQL may allocate some of the free space first.
        while not _take(file.fileno(), _free_bytes(disk)):
            continue
        await asyncio.sleep(FULL_SECONDS)
    filler.unlink()


def _free_bytes(disk: Path) -> int:
    free = os.statvfs(disk)
    return free.f_bavail * free.f_frsize


def _take(descriptor: int, size: int) -> bool:
    """Allocates `size` bytes, and returns whether there was room."""
    try:
        if size:
            os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False
    return True
