"""A disk that can be filled: a small file system in memory."""

from __future__ import annotations

import asyncio
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
        free = os.statvfs(disk)
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize)
        await asyncio.sleep(FULL_SECONDS)
    filler.unlink()
